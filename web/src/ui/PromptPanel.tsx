import { beginNext } from "../state/actions";
import { model, refusalOf } from "../state/models";
import { boxesAdd, zoomIn } from "../state/settings";
import { ActionButton } from "./Button";
import { Check } from "./Check";
import { Icon } from "./Icon";

export function PromptPanel() {
  const why = refusalOf(model.value, "points");
  return (
    <section class="panel" aria-labelledby="prompts-title">
      <header>
        <h2 id="prompts-title">Prompts</h2>
        <ActionButton
          action="keep-part"
          icon="add"
          words="Another part"
          help="Keeps what is drawn; the next prompt adds to it"
          pressed={beginNext.value}
          class="small"
        >
          Another part
        </ActionButton>
      </header>
      {why !== null && (
        <p class="hint note">
          <Icon name="alert" />
          <span>Boxes only: {why}.</span>
        </p>
      )}
      <Check
        words="Each box is a part of its own"
        help="For many objects of one label, such as nuclei"
        value={boxesAdd}
      />
      <Check words="Look closer at small objects" help="Slower where the box is small" value={zoomIn} />
    </section>
  );
}
