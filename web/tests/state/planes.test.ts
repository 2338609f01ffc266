import { expect, test } from "vitest";
import type { CaseFacts } from "../../src/api/types";
import {
  AXES,
  axesOf,
  enter,
  follow,
  goTo,
  guides,
  pixelOf,
  planeName,
  slices,
  voxelAt,
} from "../../src/state/planes";
import { FACTS } from "./facts";

test("planes are called after the body, whatever the file's axes are", () => {
  expect(AXES.map((axis) => planeName(FACTS, axis))).toEqual(["sagittal", "coronal", "axial"]);
  const turned = { ...FACTS, orientation: "PIR" };
  expect(AXES.map((axis) => planeName(turned, axis))).toEqual(["coronal", "axial", "sagittal"]);
  expect(axesOf(turned)).toEqual(["y", "x", "z"]);
});

test("a pixel leads to a voxel and back, in every plane", () => {
  for (const axis of AXES) {
    const { columns, rows, slices: count } = FACTS.axes[axis] as NonNullable<CaseFacts["axes"]["x"]>;
    const corners: [number, number, number][] = [
      [0, 0, 0],
      [columns - 1, rows - 1, count - 1],
      [1, 2, 3],
    ];
    for (const at of corners) {
      const voxel = voxelAt(FACTS, axis, ...at);
      expect(pixelOf(FACTS, axis, voxel)).toEqual([...at]);
      for (const name of AXES) {
        expect(voxel[name]).toBeGreaterThanOrEqual(0);
        expect(voxel[name]).toBeLessThan(FACTS.size_xyz[AXES.indexOf(name)] as number);
      }
    }
  }
});

test("a case opens in the middle, and slices stay inside", () => {
  enter(FACTS);
  expect(slices.value).toEqual({ x: 2, y: 3, z: 4 });
  goTo("z", 99);
  expect(slices.value.z).toBe(8);
  goTo("z", -1);
  expect(slices.value.z).toBe(0);
});

test("pointing at a pixel brings the other planes there, and the guides cross in it", () => {
  enter(FACTS);
  goTo("z", 6);
  follow("z", 1, 2);
  expect(slices.value.z).toBe(6);
  expect(guides(FACTS, "z")).toEqual({ column: 1, row: 2 });
  const voxel = voxelAt(FACTS, "z", 1, 2, 6);
  const [column, row, slice] = pixelOf(FACTS, "y", voxel);
  expect(slices.value.y).toBe(slice);
  expect(guides(FACTS, "y")).toEqual({ column, row });
});
