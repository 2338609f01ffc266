/** What the canvas speaks: slices, masks, prompts, tools. */

export type Axis = "x" | "y" | "z";

/** `x0, y0, x1, y1` in pixels of the slice as shown, ends exclusive. */
export type Box = readonly [number, number, number, number];

/** Column, row, and 1 for inside the object or 0 for outside. Whole numbers are pixel centres. */
export type Point = readonly [number, number, 0 | 1];

/** The stored values of a slice, row after row; colours are interleaved. */
export interface Levels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array | Int16Array | Uint16Array | Float32Array;
}

/** What becomes black and what becomes white. */
export interface GreyWindow {
  readonly low: number;
  readonly high: number;
  /** Values of exactly 0 (outside of the body) are black whatever the window. */
  readonly zeroIsBlack: boolean;
}

export interface Slice {
  readonly axis: Axis;
  readonly index: number;
  readonly levels: Levels;
  /** Height of a pixel over its width, in millimetres; 1 where unknown. */
  readonly pixelAspect: number;
}

/** The bits of a box as they go over the wire: row after row, eight to a byte from the highest. */
export interface Patch {
  readonly box: Box;
  readonly bits: Uint8Array;
}

export interface MaskLayer extends Patch {
  readonly label: number;
  readonly colour: string;
  readonly visible: boolean;
}

export interface MaskStyle {
  /** Of the area, 0 to 1. */
  readonly opacity: number;
  readonly contours: boolean;
}

export interface PromptGroup {
  readonly label: number;
  readonly colour: string;
  readonly box: Box | null;
  readonly points: readonly Point[];
}

export type ToolName =
  | "pan"
  | "box"
  | "point+"
  | "point-"
  | "scribble"
  | "scribble-"
  | "lasso"
  | "brush"
  | "eraser"
  | "polygon";

export interface ToolSettings {
  /** In columns; a brush is round on the screen, so it reaches fewer rows where they are further apart. */
  readonly brushRadius: number;
  readonly label: number;
  readonly colour: string;
}

export interface Drawing extends Patch {
  readonly mode: "add" | "erase";
}

/** Where a plane is looked at. */
export interface View {
  /** 1 shows the whole slice. */
  readonly zoom: number;
  /** What is in the middle of the screen, in pixels of the slice from its own middle. */
  readonly panX: number;
  readonly panY: number;
}

/** The columns and rows at which other planes cut this one. */
export interface Guides {
  readonly column: number | null;
  readonly row: number | null;
}

export interface PlaneCallbacks {
  onBox?(box: Box): void;
  onPoints?(points: Point[]): void;
  onDraw?(drawing: Drawing): void;
  /** Slices to go on; never 0. */
  onScroll?(delta: number): void;
  /** The window that a drag asks for. */
  onWindow?(window: GreyWindow): void;
  /** The pixel under the cursor, by mouse or keys; null where there is none. */
  onHover?(x: number | null, y: number | null): void;
  onView?(view: View): void;
  /** A pixel that was pointed at with the pan tool, so that other planes can follow. */
  onPlace?(x: number, y: number): void;
}
