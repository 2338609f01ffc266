import { useEffect } from "preact/hooks";
import { job, running, STRATEGIES, stop } from "../state/jobs";
import { axis, axisFacts, facts } from "../state/planes";
import { bounded, ends, resetEnds, setEnds, strategy, whose } from "../state/propagation";
import { ActionButton } from "./Button";
import { Check } from "./Check";
import { Icon } from "./Icon";

/** What works through the slices of a volume. */
export function VolumePanel() {
  const of = facts.value;
  useEffect(resetEnds, [of?.id, axis.value]);
  if (!of?.is_volume) return null;
  return (
    <section class="panel" aria-labelledby="volume-title">
      <header>
        <h2 id="volume-title">Through the volume</h2>
      </header>
      {running.value ? <Progress /> : <Choices />}
    </section>
  );
}

function Choices() {
  const chosen = STRATEGIES.find((each) => each.name === strategy.value);
  return (
    <>
      <div class="fields">
        <label>
          <span class="unseen">How</span>
          <select
            value={strategy.value}
            title={chosen?.help}
            onChange={(event) => {
              strategy.value = event.currentTarget.value;
            }}
          >
            {STRATEGIES.map((each) => (
              <option key={each.name} value={each.name}>
                {each.words}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="unseen">Which labels</span>
          <select
            value={whose.value}
            onChange={(event) => {
              whose.value = event.currentTarget.value === "all" ? "all" : "active";
            }}
          >
            <option value="active">This label</option>
            <option value="all">All with prompts</option>
          </select>
        </label>
      </div>
      <div class="range">
        <Check words="Only slices" value={bounded} />
        <End which={0} words="First slice" />
        <span aria-hidden="true">–</span>
        <End which={1} words="Last slice" />
      </div>
      <div class="pair">
        <ActionButton action="propagate" icon="play" words="Propagate" help={chosen?.help ?? ""} side="above">
          Propagate
        </ActionButton>
        <ActionButton
          action="interpolate"
          icon="fill"
          words="Fill between"
          help="Fills empty slices between drawn ones by shape; no model is asked"
          side="above"
        >
          Fill between
        </ActionButton>
      </div>
    </>
  );
}

function End({ which, words }: { which: 0 | 1; words: string }) {
  const count = axisFacts(facts.value, axis.value)?.slices ?? 1;
  return (
    <input
      type="number"
      aria-label={words}
      min={1}
      max={count}
      value={ends.value[which] + 1}
      disabled={!bounded.value}
      onChange={(event) => {
        const slice = event.currentTarget.valueAsNumber - 1;
        setEnds(which === 0 ? slice : ends.value[0], which === 1 ? slice : ends.value[1]);
      }}
    />
  );
}

function Progress() {
  const now = job.value;
  if (now === null) return null;
  const words = now.state === "waiting" ? "Waits for its turn" : `${now.done} of ${now.expected} slices`;
  return (
    <div class="progress">
      <progress
        aria-label="Propagation"
        max={Math.max(now.expected, 1)}
        {...(now.state === "waiting" ? {} : { value: now.done })}
      />
      <p class="hint">{words}. You can go on drawing elsewhere.</p>
      <div class="pair">
        <ActionButton
          action="propagate-keep"
          icon="check"
          words="Stop, keep"
          help="Draws what is done so far"
          side="above"
        >
          Stop, keep
        </ActionButton>
        <button type="button" class="button" onClick={() => stop(false)}>
          <Icon name="stop" />
          Stop, discard
        </button>
      </div>
    </div>
  );
}
