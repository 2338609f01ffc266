/**
 * What NiiVue imports from `zarrita`, which the build leaves out (see vite.config.ts): it reads stores on the net,
 * which this page never does, and brings a megabyte of decoders.
 */

function absent(): never {
  throw new Error("this page reads no zarr stores");
}

export const FetchStore = absent;
export const get = absent;
export const open = absent;
export const root = absent;
export const slice = absent;
