/** What goes over the wire, as docs/server.md and /api/v1/openapi.json have it. */

import type { Axis, Box, Point } from "../view/types";

export type { Axis, Box, Point };

export type CaseState = "new" | "started" | "saved";

export interface SessionBrief {
  id: string;
  who: string;
  created: string;
  model: string;
  seq: number;
  saved: number | null;
}

export interface CaseBrief {
  id: string;
  name: string;
  kind: string;
  state: CaseState;
  sessions: SessionBrief[];
}

/** How slices along an axis are shown. */
export interface AxisFacts {
  columns: number;
  rows: number;
  slices: number;
  /** Width and height of a pixel. */
  pixel_mm: [number, number];
  /** File axes of columns, rows and slices. */
  file_axes: [Axis, Axis, Axis];
  reversed: [boolean, boolean, boolean];
}

export interface CaseFacts {
  id: string;
  name: string;
  is_volume: boolean;
  is_colour: boolean;
  modality: string;
  modality_guessed: boolean;
  size_xyz: number[];
  spacing_xyz_mm: number[] | null;
  /** Where the file's axes point, such as `LPS`. */
  orientation: string;
  /** What `auto` makes black and white. */
  window: { low: number; high: number; zero_is_black: boolean };
  axes: Partial<Record<Axis, AxisFacts>>;
}

export interface Label {
  id: number;
  name: string;
  colour: string;
  visible: boolean;
  locked: boolean;
  voxels: number;
}

/** What was said about a label on a slice, and who answered. */
export interface PromptGroup {
  label: number;
  axis: Axis;
  slice: number;
  box: Box | null;
  points: Point[];
  model: string;
  score: number;
}

export interface SessionState {
  id: string;
  case: string;
  created: string;
  who: string;
  model: string;
  overlap: "exclusive" | "keep";
  seq: number;
  can_undo: boolean;
  can_redo: boolean;
  labels: Label[];
  prompts: PromptGroup[];
}

export interface Shown {
  axis: Axis;
  slice: number;
}

/** Bits of a box of a slice; see `patches`. */
export interface Patch {
  label: number;
  box: Box;
  data: string;
}

export interface SliceMasks extends Shown {
  patches: Patch[];
  seq: number | null;
}

export interface Change {
  label: number;
  /** x0, y0, z0, x1, y1, z1 on the file's grid. */
  box: number[];
  /** First and last + 1 slice, by axis. */
  slices: Partial<Record<Axis, [number, number]>>;
}

/** What an action did; it is on the disk. */
export interface Reply {
  seq: number;
  can_undo: boolean;
  can_redo: boolean;
  changed: Change[];
  shown: SliceMasks | null;
  score: number | null;
  label: Label | null;
}

export type PromptKind = "box" | "points" | "mask";

export interface ModelInfo {
  id: string;
  title: string;
  summary: string;
  licence: string;
  default: boolean;
  prompts: PromptKind[];
  /** Why it takes no prompts of a kind. */
  refuses: Partial<Record<PromptKind, string>>;
  classes: string[];
  loaded: boolean;
}

export interface Problem {
  kind: string;
  message: string;
  hint?: string | null;
}

export interface Job {
  id: string;
  session: string;
  state: "waiting" | "running" | "done" | "cancelled" | "failed";
  done: number;
  expected: number;
  error: Problem | null;
  reply: Reply | null;
}

export interface HistoryEntry {
  seq: number;
  kind: string;
  current: boolean;
  who: string;
  at: string;
  [more: string]: unknown;
}

export interface Saved {
  files: string[];
  seq: number;
}
