import type { Axis, CaseFacts } from "../../src/api/types";

/** An oblique storage: columns of the file run backwards, planes have their own order of axes. */
export const FACTS: CaseFacts = {
  id: "0123456789abcdef",
  name: "scan.nii.gz",
  is_volume: true,
  is_colour: false,
  modality: "MR",
  modality_guessed: false,
  size_xyz: [5, 7, 9],
  spacing_xyz_mm: [1, 1, 2],
  orientation: "RAS",
  window: { low: 0, high: 500, zero_is_black: true },
  axes: {
    x: plane(["y", "z", "x"], [true, true, true], [7, 9, 5]),
    y: plane(["x", "z", "y"], [true, true, false], [5, 9, 7]),
    z: plane(["x", "y", "z"], [true, true, false], [5, 7, 9]),
  },
};

function plane(
  file_axes: [Axis, Axis, Axis],
  reversed: [boolean, boolean, boolean],
  [columns, rows, count]: [number, number, number],
) {
  return { columns, rows, slices: count, pixel_mm: [1, 1] as [number, number], file_axes, reversed };
}
