import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { solidLabelsUrl, solidUrl } from "../api/client";
import { facts } from "../state/planes";
import { labels, session } from "../state/session";

const REST_MS = 600;

/** The volume and its labels in space; what it needs is loaded when it is first shown. */
export function SolidPane() {
  const host = useRef<HTMLDivElement>(null);
  const [message, tell] = useState("Loading the 3D view…");
  useEffect(() => {
    const [element, of] = [host.current, facts.value];
    if (element === null || of === null) return;
    let [stop, gone] = [() => {}, false];
    const fail = (error: unknown) => tell(error instanceof Error ? error.message : String(error));
    open(element, of.id, fail).then((close) => {
      if (gone) close();
      else stop = close;
      tell("");
    }, fail);
    return () => {
      gone = true;
      stop();
    };
  }, []);
  return (
    <div class="pane solid">
      <div ref={host} class="plane" role="img" aria-label="3D view of the labels; drag turns it" />
      <span class="pane-name" aria-hidden="true">
        3D
      </span>
      {message !== "" && <p class="pane-message">{message}</p>}
    </div>
  );
}

async function open(
  element: HTMLElement,
  caseId: string,
  fail: (error: unknown) => void,
): Promise<() => void> {
  const { openSolid } = await import("../view/solid");
  const solid = await openSolid(element, { imageUrl: solidUrl(caseId) });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = effect(() => {
    const now = session.value;
    const shown = labels.value.map(({ id, colour, visible, name }) => ({ id, colour, visible, name }));
    clearTimeout(timer);
    // Once the work rests: it is a whole volume each time.
    timer = setTimeout(() => {
      if (now === null || shown.length === 0) return;
      solid.setLabels(solidLabelsUrl(now.id, now.seq), shown).catch((error: unknown) => {
        const overtaken = error instanceof DOMException && error.name === "AbortError";
        if (!overtaken) fail(error);
      });
    }, REST_MS);
  });
  return () => {
    stop();
    clearTimeout(timer);
    solid.destroy();
  };
}
