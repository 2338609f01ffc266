/** The canvas: `PlaneView`, `SliceCache`, masks as bits. The 3D view is in `./solid`, which is loaded when needed. */

export { combine, emptyBits } from "./bits";
export { dashOf } from "./dashes";
export { FIT } from "./geometry";
export { PlaneView } from "./plane";
export { SliceCache } from "./slices";
export type * from "./types";
