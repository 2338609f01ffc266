import { useEffect } from "preact/hooks";
import { api } from "../api/client";
import { model } from "../state/models";
import {
  axesOf,
  axis,
  axisFacts,
  facts,
  goTo,
  layout,
  planeName,
  rememberPlace,
  shown,
  slices,
} from "../state/planes";
import { session } from "../state/session";
import { ActionButton } from "./Button";
import { Plane } from "./Plane";
import { SolidPane } from "./SolidPane";

const LOOK_AFTER_MS = 60;

/** The planes: one that fills the stage, or all three and a 3D view. */
export function Stage() {
  useLooking();
  const of = facts.value;
  if (of === null) return null;
  const four = layout.value === "four" && of.is_volume;
  const axes = four ? axesOf(of) : [axis.value];
  return (
    <main class="stage" data-layout={four ? "four" : "one"}>
      <div class="panes">
        {axes.map((each) => (
          <Plane key={`${of.id}/${each}`} along={each} />
        ))}
        {four && <SolidPane key={of.id} />}
      </div>
      <div class="stage-bar">
        {of.is_volume && <PlaneChoice />}
        {of.is_volume && <SliceSlider />}
        <span class="grow" />
        <ActionButton action="fit" icon="fit" words="Whole picture" side="above" />
      </div>
    </main>
  );
}

function PlaneChoice() {
  const of = facts.value;
  if (of === null) return null;
  return (
    <>
      <div class="segments" role="group" aria-label="Plane">
        {axesOf(of).map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={axis.value === each}
            onClick={() => {
              axis.value = each;
            }}
          >
            {planeName(of, each)}
          </button>
        ))}
      </div>
      <ActionButton
        action="layout"
        icon={layout.value === "four" ? "one" : "four"}
        words={layout.value === "four" ? "One plane" : "All planes and 3D"}
        pressed={layout.value === "four"}
        side="above"
      />
    </>
  );
}

function SliceSlider() {
  const count = axisFacts(facts.value, axis.value)?.slices ?? 1;
  const at = slices.value[axis.value];
  const text = `Slice ${at + 1} of ${count}`;
  return (
    <label class="slice-slider">
      <span>
        {at + 1} <small>/ {count}</small>
      </span>
      <input
        type="range"
        aria-label="Slice"
        aria-valuetext={text}
        min={0}
        max={count - 1}
        step={1}
        value={at}
        onInput={(event) => goTo(axis.value, event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

/** Tell the server which slice is looked at, once the scrolling rests: it is encoded before it is prompted. */
function useLooking(): void {
  const id = session.value?.id;
  const asked = model.value?.id;
  const { axis: along, slice } = shown.value;
  useEffect(() => {
    const timer = setTimeout(() => {
      rememberPlace();
      // Only a hint: where it fails, the first prompt takes longer.
      if (id === undefined) return;
      const looking = { axis: along, slice, ...(asked === undefined ? {} : { model: asked }) };
      api.look(id, looking).catch(() => undefined);
    }, LOOK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [id, asked, along, slice]);
}
