/** Keeps a plane on the screen in step with the state: `keepShowing`. */

import { effect, type Signal, signal } from "@preact/signals";
import type { Axis } from "../api/types";
import { draw, promptBox, promptPoints, waiting } from "../state/actions";
import { axis, axisFacts, facts, follow, guides, layout, scroll, slices } from "../state/planes";
import { label, labels, masks, session } from "../state/session";
import { brushRadius, contours, opacity, promptsShown } from "../state/settings";
import { controls, masksHidden } from "../state/stage";
import { complain, connected, place } from "../state/status";
import { tool } from "../state/tools";
import { greyWindow } from "../state/windowing";
import { type PlaneCallbacks, PlaneView, type PromptGroup, SliceCache } from "../view";

const cache = new SliceCache();
const NEIGHBOURS = [1, -1, 2, -2, 3, -3];

/** The slice that is on the screen, which may lag behind the one that is asked for; null where there is none yet. */
type Placed = Signal<number | null>;

/** A plane of the open case in an element; what is returned takes it down. */
export function keepShowing(host: HTMLElement, along: Axis): () => void {
  const placed: Placed = signal(null);
  const view = new PlaneView(host, callbacks(along, placed));
  const stops = [
    effect(() => view.setWindow(greyWindow.value)),
    effect(() => showSlice(view, along, placed)),
    effect(() => showMasks(view, along, placed)),
    effect(() => showPrompts(view, along, placed)),
    effect(() => holdTool(view)),
    effect(() => showGuides(view, along)),
    effect(() => {
      if (axis.value === along) controls.value = view;
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    if (controls.peek() === view) controls.value = null;
    view.destroy();
  };
}

function callbacks(along: Axis, placed: Placed): PlaneCallbacks {
  const here = () => ({ axis: along, slice: placed.peek() ?? slices.peek()[along] });
  return {
    onBox: (box) => void promptBox(here(), box),
    onPoints: (points) => void promptPoints(here(), points),
    onDraw: (drawing) => void draw(here(), drawing),
    onScroll: (delta) => scroll(along, delta),
    onWindow: (window) => {
      greyWindow.value = window;
    },
    onHover: (x, y) => {
      place.value = x === null || y === null ? "" : `x ${x}, y ${y}`;
    },
    onPlace: (x, y) => follow(along, x, y),
  };
}

function showSlice(view: PlaneView, along: Axis, placed: Placed): void {
  const of = facts.value;
  const index = slices.value[along];
  connected.value; // read, so that a slice that could not be had is asked for again
  const plane = axisFacts(of, along);
  if (of === null || plane === null) return;
  const pixelAspect = of.spacing_xyz_mm === null ? 1 : plane.pixel_mm[1] / plane.pixel_mm[0];
  const put = (levels: NonNullable<ReturnType<SliceCache["get"]>>) => {
    if (placed.peek() === index) return;
    view.setSlice({ axis: along, index, levels, pixelAspect });
    placed.value = index;
  };
  const ready = cache.get(of.id, along, index);
  if (ready !== undefined) put(ready);
  cache
    .show(of.id, along, index, plane.slices)
    .then((levels) => slices.peek()[along] === index && put(levels))
    .catch((error: unknown) => {
      const overtaken = error instanceof DOMException && error.name === "AbortError";
      if (!overtaken) complain(error);
    });
}

function showMasks(view: PlaneView, along: Axis, placed: Placed): void {
  const slice = placed.value;
  const now = session.value;
  masks.version.value; // read, so that this runs again when masks change
  if (now === null || slice === null) return;
  const exclusive = now.overlap === "exclusive";
  const layers = masksHidden.value ? [] : masks.layers({ axis: along, slice }, labels.value, exclusive);
  view.setMasks(layers, { opacity: opacity.value, contours: contours.value });
  const count = axisFacts(facts.value, along)?.slices ?? 1;
  // Slices beside it are likely to be next.
  for (const each of [0, ...NEIGHBOURS].map((step) => slice + step)) {
    if (each >= 0 && each < count) masks.want({ axis: along, slice: each }).catch(() => undefined);
  }
}

function showPrompts(view: PlaneView, along: Axis, placed: Placed): void {
  const slice = placed.value;
  const byLabel = new Map<number, PromptGroup>();
  // What is on its way comes after what it replaces.
  for (const each of [...(session.value?.prompts ?? []), ...waiting.value]) {
    if (each.axis !== along || each.slice !== slice) continue;
    const found = labels.value.find(({ id }) => id === each.label);
    if (found === undefined || !found.visible) continue;
    byLabel.set(each.label, { label: each.label, colour: found.colour, box: each.box, points: each.points });
  }
  view.setPrompts(promptsShown.value ? [...byLabel.values()] : []);
}

function holdTool(view: PlaneView): void {
  const { id, colour } = label.value ?? { id: 1, colour: "#e69f00" };
  view.setTool(tool.value, { brushRadius: brushRadius.value, label: id, colour });
}

function showGuides(view: PlaneView, along: Axis): void {
  const of = facts.value;
  const several = of !== null && layout.value === "four";
  view.setGuides(several ? guides(of, along) : { column: null, row: null });
}
