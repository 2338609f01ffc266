import { type Group, KEYS, type Key } from "../keys";
import { singleKeys } from "../state/settings";
import { Check } from "./Check";
import { Dialog } from "./Dialog";

const GROUPS: readonly Group[] = ["Prompts and tools", "Slices and planes", "Labels", "Picture", "Work"];
const HANDS: readonly [string, string][] = [
  ["Wheel", "Slices; with Ctrl: zoom"],
  ["Drag with the middle button, or Space", "Move the picture"],
  ["Drag with the right button", "Window width and level"],
  ["Shift while clicking or drawing", "Outside, or erase"],
  ["Arrow keys in the picture", "Move a cursor; Enter clicks or sets a corner"],
];

/** Everything that a key does. */
export function KeysDialog() {
  return (
    <Dialog title="Keys" size="wide">
      <div class="keys-columns">
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {gathered(group).map(({ words, keys }) => (
                <div key={words}>
                  <dt>
                    {keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{words}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Mouse, pen, touch</h3>
          <dl class="hands">
            {HANDS.map(([how, what]) => (
              <div key={how}>
                <dt>{how}</dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <Check words="Keys work without Ctrl" help="Switch off where you dictate" value={singleKeys} />
        </section>
      </div>
    </Dialog>
  );
}

/** The keys of a group; labels are one line, and an action with two keys is one as well. */
function gathered(group: Group): { words: string; keys: string[] }[] {
  const found: { words: string; keys: string[] }[] = [];
  for (const each of KEYS.filter((key) => key.group === group)) {
    const line = lineOf(each);
    const before = found.find(({ words }) => words === line.words);
    if (before === undefined) found.push(line);
    else if (!before.keys.includes(line.keys[0] ?? "")) before.keys.push(...line.keys);
  }
  return found;
}

function lineOf({ action, key, words }: Key): { words: string; keys: string[] } {
  if (action.startsWith("label:")) return { words: "Label with this number", keys: ["1 … 9"] };
  return { words, keys: [key] };
}
