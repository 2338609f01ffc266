/** Where one looks: which planes, which slice of each, and how planes hang together. */

import { batch, computed, signal } from "@preact/signals";
import type { Axis, AxisFacts, CaseFacts, Shown } from "../api/types";
import { recall, remember } from "./kept";

export type PlaneName = "axial" | "coronal" | "sagittal";
export type Layout = "one" | "four";

export const AXES: readonly Axis[] = ["x", "y", "z"];
const ACROSS: Record<string, PlaneName> = {
  S: "axial",
  I: "axial",
  A: "coronal",
  P: "coronal",
  L: "sagittal",
  R: "sagittal",
};

export const facts = signal<CaseFacts | null>(null);
export const layout = signal<Layout>("one");
export const axis = signal<Axis>("z");
/** The slice that is looked at, by the axis that slices run along. */
export const slices = signal<Record<Axis, number>>({ x: 0, y: 0, z: 0 });

/** The slice that keys, prompts and buttons mean. */
export const shown = computed<Shown>(() => ({ axis: axis.value, slice: slices.value[axis.value] }));

/** What a plane is called: that of the body to which it is closest. */
export function planeName(of: CaseFacts, along: Axis): PlaneName {
  return ACROSS[of.orientation.charAt(AXES.indexOf(along)).toUpperCase()] ?? "axial";
}

export function axesOf(of: CaseFacts): Axis[] {
  const order: PlaneName[] = ["axial", "coronal", "sagittal"];
  const there = AXES.filter((each) => of.axes[each] !== undefined);
  return there.sort((a, b) => order.indexOf(planeName(of, a)) - order.indexOf(planeName(of, b)));
}

export function axisFacts(of: CaseFacts | null, along: Axis): AxisFacts | null {
  return of?.axes[along] ?? null;
}

/** Look at a case: where it was left, else at the middle. */
export function enter(of: CaseFacts): void {
  const middle = { x: 0, y: 0, z: 0 };
  for (const each of AXES) middle[each] = (of.axes[each]?.slices ?? 1) >> 1;
  const left = recall<{ axis: Axis; slices: Record<Axis, number>; layout: Layout } | null>(
    placeName(of),
    null,
  );
  batch(() => {
    facts.value = of;
    axis.value = left !== null && of.axes[left.axis] !== undefined ? left.axis : "z";
    layout.value = of.is_volume ? (left?.layout ?? "one") : "one";
    slices.value = middle;
    for (const each of AXES) if (left !== null) goTo(each, left.slices[each]);
  });
}

export function leave(): void {
  facts.value = null;
}

export function goTo(along: Axis, slice: number): void {
  const count = facts.value?.axes[along]?.slices ?? 1;
  const inside = Math.min(Math.max(Math.round(slice), 0), count - 1);
  if (inside !== slices.value[along]) slices.value = { ...slices.value, [along]: inside };
}

export function scroll(along: Axis, delta: number): void {
  goTo(along, slices.value[along] + delta);
}

/** Remember where a person looks, so that a reload changes nothing. */
export function rememberPlace(): void {
  const of = facts.value;
  const now = { axis: axis.value, slices: slices.value, layout: layout.value };
  if (of !== null) remember(placeName(of), now);
}

function placeName(of: CaseFacts): string {
  return `place.${of.id}`;
}

/** The voxel of the file that a pixel of a plane shows. */
export function voxelAt(
  of: CaseFacts,
  along: Axis,
  x: number,
  y: number,
  slice: number,
): Record<Axis, number> {
  const voxel = { x: 0, y: 0, z: 0 };
  const plane = of.axes[along];
  if (plane === undefined) return voxel;
  const sizes = [plane.columns, plane.rows, plane.slices];
  [x, y, slice].forEach((at, i) => {
    const name = plane.file_axes[i as 0 | 1 | 2];
    voxel[name] = plane.reversed[i as 0 | 1 | 2] ? (sizes[i] ?? 1) - 1 - at : at;
  });
  return voxel;
}

/** Where a voxel of the file lies in a plane: column, row, slice. */
export function pixelOf(of: CaseFacts, along: Axis, voxel: Record<Axis, number>): [number, number, number] {
  const plane = of.axes[along];
  if (plane === undefined) return [0, 0, 0];
  const sizes = [plane.columns, plane.rows, plane.slices] as const;
  const at = (i: 0 | 1 | 2) => {
    const value = voxel[plane.file_axes[i]];
    return plane.reversed[i] ? sizes[i] - 1 - value : value;
  };
  return [at(0), at(1), at(2)];
}

/** Bring the other planes to what was pointed at in one. */
export function follow(along: Axis, x: number, y: number): void {
  const of = facts.value;
  if (of === null) return;
  const voxel = voxelAt(of, along, x, y, slices.value[along]);
  batch(() => {
    for (const each of axesOf(of)) if (each !== along) goTo(each, pixelOf(of, each, voxel)[2]);
  });
}

/** The column and row at which the other planes cut one. */
export function guides(of: CaseFacts, along: Axis): { column: number; row: number } {
  const voxel = { x: 0, y: 0, z: 0 };
  for (const each of axesOf(of)) {
    const found = voxelAt(of, each, 0, 0, slices.value[each]);
    const name = of.axes[each]?.file_axes[2];
    if (name !== undefined) voxel[name] = found[name];
  }
  const [column, row] = pixelOf(of, along, voxel);
  return { column, row };
}
