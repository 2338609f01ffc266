import type { ActionName } from "../keys";
import { brushRadius, setBrushRadius } from "../state/settings";
import { refused, TOOLS, type Tool, tool } from "../state/tools";
import { ActionButton } from "./Button";
import type { IconName } from "./Icon";
import { roving } from "./roving";

/** Tools that speak to the model first, then those of the hand. */
export function ToolRail() {
  const prompts = TOOLS.filter((each) => each.prompt !== null);
  const hands = TOOLS.filter((each) => each.prompt === null && each.name !== "pan");
  const move = TOOLS.filter((each) => each.name === "pan");
  return (
    <div
      class="rail"
      role="toolbar"
      aria-label="Tools"
      aria-orientation="vertical"
      onKeyDown={roving("button", "column")}
    >
      {[move, prompts, hands].map((group, i) => (
        <div
          class="rail-group"
          role="group"
          aria-label={["Look", "Prompts to the model", "By hand"][i]}
          key={i}
        >
          {group.map((each) => (
            <ToolButton key={each.name} tool={each} />
          ))}
        </div>
      ))}
      {(tool.value === "brush" || tool.value === "eraser") && <BrushSize />}
    </div>
  );
}

function ToolButton({ tool: each }: { tool: Tool }) {
  const held = tool.value === each.name;
  return (
    <ActionButton
      action={`tool:${each.name}` as ActionName}
      icon={each.name as IconName}
      words={each.words}
      help={each.help}
      pressed={held}
      refused={refused(each)}
      side="right"
      tabIndex={held ? 0 : -1}
    />
  );
}

function BrushSize() {
  return (
    <label class="brush-size" data-tip="Brush radius in pixels ([ and ])" data-side="right">
      <span class="unseen">Brush radius in pixels</span>
      <input
        type="number"
        min={1}
        max={100}
        value={brushRadius.value}
        onChange={(event) => setBrushRadius(event.currentTarget.valueAsNumber || 1)}
      />
    </label>
  );
}
