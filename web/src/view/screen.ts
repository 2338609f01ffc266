/** Three canvases on top of each other, of which only those are redrawn that have changed: `Screen`. */

export type Sheet = "picture" | "masks" | "marks";
const SHEETS: readonly Sheet[] = ["picture", "masks", "marks"];

/** Draws a sheet; the context is cleared, and its unit is a CSS pixel. */
export type Draw = (sheet: Sheet, context: CanvasRenderingContext2D) => void;

export class Screen {
  /** Of the place, in CSS pixels. */
  width = 0;
  height = 0;
  /** Screen pixels for each of them. */
  density = 1;
  private readonly contexts: Record<Sheet, CanvasRenderingContext2D>;
  private readonly stale = new Set<Sheet>();
  private readonly observer: ResizeObserver;
  private readonly abort = new AbortController();
  private frame = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly draw: Draw,
    private readonly onResize: () => void,
  ) {
    if (getComputedStyle(host).position === "static") host.style.position = "relative";
    host.style.overflow = "hidden";
    host.style.touchAction = "none";
    this.contexts = Object.fromEntries(
      SHEETS.map((sheet) => [sheet, addCanvas(host)]),
    ) as typeof this.contexts;
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(host);
    // Dragging the window to a finer screen changes the density, not the size.
    addEventListener("resize", () => this.measure(), { signal: this.abort.signal });
  }

  /** Redraw sheets with the next frame. */
  redraw(...sheets: Sheet[]): void {
    for (const sheet of sheets) this.stale.add(sheet);
    if (this.frame === 0 && this.width > 0) this.frame = requestAnimationFrame(() => this.flush());
  }

  redrawAll(): void {
    this.redraw(...SHEETS);
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.abort.abort();
    for (const sheet of SHEETS) this.contexts[sheet].canvas.remove();
  }

  private measure(): void {
    const { clientWidth, clientHeight } = this.host;
    const density = devicePixelRatio || 1;
    if (clientWidth === this.width && clientHeight === this.height && density === this.density) return;
    [this.width, this.height, this.density] = [clientWidth, clientHeight, density];
    for (const sheet of SHEETS) {
      const { canvas } = this.contexts[sheet];
      canvas.width = Math.max(1, Math.round(clientWidth * density));
      canvas.height = Math.max(1, Math.round(clientHeight * density));
    }
    this.onResize();
    // A canvas that has a new size is empty: drawn at once, so that nothing flickers.
    for (const sheet of SHEETS) this.stale.add(sheet);
    this.flush();
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const sheets = [...this.stale];
    this.stale.clear();
    if (this.width === 0 || this.height === 0) return;
    for (const sheet of sheets) {
      const context = this.contexts[sheet];
      clear(context);
      context.setTransform(this.density, 0, 0, this.density, 0, 0);
      this.draw(sheet, context);
    }
  }
}

/** Chromium may keep a canvas on the screen that was only cleared (`clearRect`, `reset`): so it is painted empty. */
function clear(context: CanvasRenderingContext2D): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalCompositeOperation = "copy";
  context.fillStyle = "transparent";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.globalCompositeOperation = "source-over";
}

function addCanvas(host: HTMLElement): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  Object.assign(canvas.style, { position: "absolute", inset: "0", width: "100%", height: "100%" });
  Object.assign(canvas.style, { pointerEvents: "none", display: "block" });
  host.append(canvas);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser has no 2D canvas");
  return context;
}
