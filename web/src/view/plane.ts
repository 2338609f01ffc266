/** One plane on the screen: a slice, its masks and prompts, and the tools that work on it: `PlaneView`. */

import { Caret } from "./caret";
import { FIT, Frame } from "./geometry";
import { Gestures } from "./gestures";
import { draggedWindow } from "./levels";
import { drawCrosshair, drawGuides, drawPrompts } from "./markers";
import { Picture } from "./picture";
import type { Size, Vertex } from "./raster";
import { Screen, type Sheet } from "./screen";
import { MaskSheet } from "./sheet";
import { type Bench, makeTool, type Tool } from "./tools";
import type {
  GreyWindow,
  Guides,
  MaskLayer,
  MaskStyle,
  PlaneCallbacks,
  PromptGroup,
  Slice,
  ToolName,
  ToolSettings,
  View,
} from "./types";

const NOTHING: Size = { width: 1, height: 1 };
const CURSORS: Partial<Record<ToolName, string>> = { pan: "grab", brush: "crosshair", eraser: "crosshair" };

/**
 * A plane in a host element, which gets the focus ring, role and name from the page.
 *
 * What it draws is what it was last given; it changes nothing but what callbacks tell. Drawing happens with the
 * next frame, and only for the sheets that have changed; idle planes do nothing.
 */
export class PlaneView {
  private readonly screen: Screen;
  private readonly gestures: Gestures;
  private readonly caret: Caret;
  private readonly picture = new Picture();
  private readonly masks = new MaskSheet();
  private readonly bench: Bench;
  private readonly abort = new AbortController();
  private slice: Slice | null = null;
  private window: GreyWindow = { low: 0, high: 255, zeroIsBlack: false };
  private windowAtPress: GreyWindow = this.window;
  private prompts: readonly PromptGroup[] = [];
  private guides: Guides = { column: null, row: null };
  private view: View = FIT;
  private frame = new Frame({ ...NOTHING, aspect: 1, screenWidth: 1, screenHeight: 1 }, FIT);
  private toolName: ToolName = "pan";
  private settings: ToolSettings = { brushRadius: 8, label: 1, colour: "#ffffff" };
  private tool: Tool | null = null;
  private cursor: Vertex | null = null;
  private hovered = "";

  constructor(
    private readonly host: HTMLElement,
    private readonly callbacks: PlaneCallbacks,
  ) {
    if (!host.hasAttribute("tabindex")) host.tabIndex = 0;
    this.bench = this.makeBench();
    this.caret = this.makeCaret();
    this.screen = new Screen(
      host,
      (sheet, context) => this.draw(sheet, context),
      () => this.reframe(),
    );
    this.reframe();
    this.gestures = this.makeGestures();
    const { signal } = this.abort;
    host.addEventListener("keydown", (event) => this.keyDown(event), { signal });
    addEventListener("keyup", (event) => event.key === " " && this.holdSpace(false), { signal });
    addEventListener("blur", () => this.holdSpace(false), { signal });
  }

  /** Show a slice; masks and prompts of the one before are taken away. */
  setSlice(slice: Slice | null): void {
    const moved = slice?.axis !== this.slice?.axis || slice?.index !== this.slice?.index;
    const reshaped =
      slice?.levels.width !== this.slice?.levels.width ||
      slice?.levels.height !== this.slice?.levels.height ||
      slice?.pixelAspect !== this.slice?.pixelAspect;
    if (moved || reshaped) {
      this.cancel();
      this.masks.clear();
      this.prompts = [];
    }
    this.slice = slice;
    if (reshaped) this.reframe();
    if (moved || reshaped) this.screen.redrawAll();
    else this.screen.redraw("picture");
  }

  setWindow(window: GreyWindow): void {
    const { low, high, zeroIsBlack } = this.window;
    if (low === window.low && high === window.high && zeroIsBlack === window.zeroIsBlack) return;
    this.window = window;
    this.screen.redraw("picture");
  }

  /** The masks of the slice that is shown, the lowest first. What was drawn by hand is taken to be in them. */
  setMasks(layers: readonly MaskLayer[], style: MaskStyle): void {
    this.masks.set(layers, style);
    this.screen.redraw("masks");
  }

  setPrompts(prompts: readonly PromptGroup[]): void {
    this.prompts = prompts;
    this.screen.redraw("marks");
  }

  /** Choose a tool. What the one before had begun is dropped; new settings alone drop nothing. */
  setTool(name: ToolName, settings: ToolSettings): void {
    const relabelled = settings.label !== this.settings.label;
    this.settings = settings;
    if (name !== this.toolName || relabelled) {
      this.cancel();
      this.toolName = name;
      this.tool = makeTool(name, this.bench);
      this.host.style.cursor = CURSORS[name] ?? "crosshair";
    }
    this.screen.redraw("marks");
  }

  setGuides(guides: Guides): void {
    if (guides.column === this.guides.column && guides.row === this.guides.row) return;
    this.guides = guides;
    this.screen.redraw("marks");
  }

  /** Look somewhere; `onView` is not called. */
  setView(view: View): void {
    const { zoom, panX, panY } = this.view;
    if (view.zoom === zoom && view.panX === panX && view.panY === panY) return;
    this.view = view;
    this.reframe();
    this.screen.redrawAll();
  }

  /** Zoom about the cursor, or the middle where there is none. */
  zoomBy(factor: number): void {
    const { width, height } = this.screen;
    const at = this.caret.at ?? this.cursor;
    const [x, y] =
      at === null ? [width / 2, height / 2] : [this.frame.screenX(at[0]), this.frame.screenY(at[1])];
    this.look(this.frame.zoomedAt(factor, x, y));
  }

  /** Show the whole slice. */
  fit(): void {
    this.look(FIT);
  }

  /** Drop what a tool has begun; says whether there was something. */
  cancel(): boolean {
    return this.tool?.cancel() ?? false;
  }

  destroy(): void {
    this.abort.abort();
    this.gestures.destroy();
    this.screen.destroy();
  }

  private draw(sheet: Sheet, context: CanvasRenderingContext2D): void {
    if (this.slice === null) return;
    if (sheet === "picture") {
      this.picture.draw(context, this.frame, this.slice.levels, this.window, this.screen.density);
    } else if (sheet === "masks") this.masks.draw(context, this.frame, this.screen.density);
    else this.drawMarks(context);
  }

  private drawMarks(context: CanvasRenderingContext2D): void {
    drawGuides(context, this.frame, this.guides);
    drawPrompts(context, this.frame, this.prompts);
    this.tool?.draw(context, this.frame);
    if (this.caret.at !== null) drawCrosshair(context, this.frame, this.caret.at);
  }

  private reframe(): void {
    const { width, height } = this.slice?.levels ?? NOTHING;
    const screenWidth = Math.max(this.screen.width, 1);
    const screenHeight = Math.max(this.screen.height, 1);
    const aspect = this.slice?.pixelAspect ?? 1;
    this.frame = new Frame({ width, height, aspect, screenWidth, screenHeight }, this.view);
  }

  private look(view: View): void {
    this.setView(view);
    this.callbacks.onView?.(this.view);
  }

  private hover(at: Vertex | null): void {
    this.cursor = at;
    const { width, height } = this.bench.size;
    const [x, y] = at === null ? [-1, -1] : [Math.floor(at[0]), Math.floor(at[1])];
    const inside = this.slice !== null && x >= 0 && y >= 0 && x < width && y < height;
    const told = inside ? `${x},${y}` : "";
    if (told === this.hovered) return;
    this.hovered = told;
    this.callbacks.onHover?.(inside ? x : null, inside ? y : null);
  }

  private keyDown(event: KeyboardEvent): void {
    if (this.slice === null || event.ctrlKey || event.metaKey) return;
    const taken =
      event.key === " " ? this.holdSpace(true) : this.caret.key(event.key, event.shiftKey, event.altKey);
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private holdSpace(held: boolean): boolean {
    this.gestures.spaceHeld = held;
    this.host.style.cursor = held ? "grab" : (CURSORS[this.toolName] ?? "crosshair");
    return true;
  }

  private makeBench(): Bench {
    const plane = this;
    return {
      get size() {
        return plane.slice?.levels ?? NOTHING;
      },
      get aspect() {
        return plane.slice?.pixelAspect ?? 1;
      },
      get settings() {
        return plane.settings;
      },
      get frame() {
        return plane.frame;
      },
      callbacks: this.callbacks,
      begin(mode) {
        const { label, colour } = plane.settings;
        return plane.masks.begin(plane.bench.size, label, colour, mode);
      },
      commit(stroke) {
        plane.screen.redraw("masks");
        const drawing = plane.masks.commit(stroke);
        if (drawing !== null) plane.callbacks.onDraw?.(drawing);
      },
      discard() {
        plane.masks.discard();
        plane.screen.redraw("masks");
      },
      redraw(what) {
        plane.screen.redraw(what);
      },
    };
  }

  private makeCaret(): Caret {
    const plane = this;
    return new Caret({
      get size() {
        return plane.bench.size;
      },
      get tool() {
        return plane.tool;
      },
      get start() {
        const { width, height } = plane.screen;
        return plane.cursor ?? [plane.frame.sliceX(width / 2), plane.frame.sliceY(height / 2)];
      },
      onCaret(at) {
        if (at !== null) {
          plane.hover(at);
          const view = plane.frame.showing(at[0], at[1]);
          if (view !== plane.view) plane.look(view);
        }
        plane.screen.redraw("marks");
      },
      place(at) {
        plane.callbacks.onPlace?.(Math.floor(at[0]), Math.floor(at[1]));
      },
    });
  }

  private makeGestures(): Gestures {
    const plane = this;
    const at = (x: number, y: number): Vertex => [plane.frame.sliceX(x), plane.frame.sliceY(y)];
    return new Gestures(this.host, {
      get pans() {
        return plane.toolName === "pan";
      },
      press(x, y, negative) {
        plane.caret.hide();
        if (plane.slice !== null) plane.tool?.press(at(x, y), negative);
      },
      move(x, y) {
        plane.hover(at(x, y));
        plane.tool?.move(at(x, y));
      },
      release(x, y) {
        plane.tool?.release(at(x, y));
      },
      abandon() {
        plane.cancel();
      },
      hover(x, y) {
        plane.caret.hide();
        plane.hover(at(x, y));
        plane.tool?.move(at(x, y));
      },
      leave() {
        plane.hover(null);
        plane.tool?.leave?.();
      },
      pan(dx, dy) {
        plane.look(plane.frame.pannedBy(dx, dy));
      },
      zoom(factor, x, y) {
        plane.look(plane.frame.zoomedAt(factor, x, y));
      },
      place(x, y) {
        const [column, row] = at(x, y).map(Math.floor) as [number, number];
        const { width, height } = plane.bench.size;
        if (column >= 0 && row >= 0 && column < width && row < height) plane.callbacks.onPlace?.(column, row);
      },
      beginWindowing() {
        plane.windowAtPress = plane.window;
      },
      windowing(dx, dy) {
        const { width, height } = plane.screen;
        plane.setWindow(draggedWindow(plane.windowAtPress, dx, dy, Math.max(width, height)));
        plane.callbacks.onWindow?.(plane.window);
      },
      rightClick(x, y) {
        if (plane.toolName === "point+" || plane.toolName === "point-") plane.tool?.press(at(x, y), true);
      },
      scroll(delta) {
        plane.callbacks.onScroll?.(delta);
      },
    });
  }
}
