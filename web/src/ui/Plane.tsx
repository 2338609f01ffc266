import { useEffect, useRef } from "preact/hooks";
import type { Axis } from "../api/types";
import { axis, axisFacts, facts, planeName, slices } from "../state/planes";
import { keepShowing } from "./showing";

/** One plane of the case that is open. */
export function Plane({ along }: { along: Axis }) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const stop = keepShowing(element, along);
    // Where a case was opened with the keyboard, the next key belongs to the picture.
    if (document.activeElement === document.body && axis.peek() === along) element.focus();
    return stop;
  }, [along]);
  const of = facts.value;
  if (of === null) return null;
  const at = `${slices.value[along] + 1} of ${axisFacts(of, along)?.slices ?? 1}`;
  const name = of.is_volume ? `${planeName(of, along)} plane, slice ${at}` : of.name;
  const workHere = () => {
    axis.value = along;
  };
  return (
    <div class="pane" data-active={axis.value === along} onPointerDown={workHere} onFocusCapture={workHere}>
      <div
        ref={host}
        class="plane"
        role="application"
        aria-label={`${name}. Arrow keys move a cursor, Enter prompts or draws there.`}
        data-plane={along}
      />
      {of.is_volume && (
        <span class="pane-name" aria-hidden="true">
          {planeName(of, along)} <b>{at}</b>
        </span>
      )}
    </div>
  );
}
