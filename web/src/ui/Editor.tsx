import { useEffect } from "preact/hooks";
import { followAgain } from "../state/jobs";
import { session } from "../state/session";
import { DisplayPanel } from "./DisplayPanel";
import { Header } from "./Header";
import { LabelPanel } from "./LabelPanel";
import { PromptPanel } from "./PromptPanel";
import { Stage } from "./Stage";
import { ToolRail } from "./ToolRail";
import { VolumePanel } from "./VolumePanel";

/** A case that is open: the picture in the middle, tools at its left, what they work on at its right. */
export function Editor() {
  const id = session.value?.id;
  useEffect(() => {
    if (id !== undefined) void followAgain(id);
  }, [id]);
  return (
    <div class="editor">
      <Header />
      <ToolRail />
      <Stage />
      <aside class="panels" aria-label="Labels and settings">
        <LabelPanel />
        <PromptPanel />
        <VolumePanel />
        <DisplayPanel />
      </aside>
    </div>
  );
}
