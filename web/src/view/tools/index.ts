/** Tools by name. */

import type { ToolName } from "../types";
import { brushTool, lassoTool, polygonTool } from "./drawing";
import { boxTool, pointTool, scribbleTool } from "./prompting";
import type { Bench, Tool } from "./tool";

export type { Bench, Tool } from "./tool";

/** A fresh tool; null for `pan`, which the canvas does itself. */
export function makeTool(name: ToolName, bench: Bench): Tool | null {
  switch (name) {
    case "pan":
      return null;
    case "box":
      return boxTool(bench);
    case "point+":
      return pointTool(bench, 1);
    case "point-":
      return pointTool(bench, 0);
    case "scribble":
      return scribbleTool(bench, 1);
    case "scribble-":
      return scribbleTool(bench, 0);
    case "lasso":
      return lassoTool(bench);
    case "brush":
      return brushTool(bench, "add");
    case "eraser":
      return brushTool(bench, "erase");
    case "polygon":
      return polygonTool(bench);
  }
}
