/** Mouse, pen and touch as gestures: what a press means depends on buttons, keys and fingers. */

/** Takes gestures, in CSS pixels from the upper left corner of the host. */
export interface GestureTarget {
  /** Whether a plain drag moves the picture. */
  readonly pans: boolean;
  press(x: number, y: number, negative: boolean): void;
  move(x: number, y: number): void;
  release(x: number, y: number): void;
  /** A press has turned into something else, say a pinch. */
  abandon(): void;
  hover(x: number, y: number): void;
  leave(): void;
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
  /** A click with the pan tool. */
  place(x: number, y: number): void;
  /** A drag with the right button, from where it began. */
  beginWindowing(): void;
  windowing(dx: number, dy: number): void;
  rightClick(x: number, y: number): void;
  scroll(delta: number): void;
}

type Mode = "idle" | "tool" | "pan" | "right" | "windowing" | "finger" | "pinch" | "over";

interface Place {
  x: number;
  y: number;
}

/** A press that moves less is a click; fingers are less steady. */
const STILL = 4;
const STILL_FINGER = 9;
/** A notch of a wheel is 100 to 120; trackpads send many small ones. */
const WHEEL_STEP = 60;
const WHEEL_LINE = 40;

export class Gestures {
  private readonly pointers = new Map<number, Place>();
  private readonly abort = new AbortController();
  private mode: Mode = "idle";
  private start: Place = { x: 0, y: 0 };
  private hovered: Place | null = null;
  private scrolled = 0;
  /** While the space bar is held, a drag moves the picture. */
  spaceHeld = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly target: GestureTarget,
  ) {
    const { signal } = this.abort;
    host.addEventListener("pointerdown", (event) => this.down(event), { signal });
    host.addEventListener("pointermove", (event) => this.moved(event), { signal });
    host.addEventListener("pointerup", (event) => this.up(event), { signal });
    host.addEventListener("pointercancel", (event) => this.lost(event), { signal });
    host.addEventListener("pointerleave", () => this.mode === "idle" && target.leave(), { signal });
    host.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    host.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
  }

  destroy(): void {
    this.abort.abort();
  }

  private down(event: PointerEvent): void {
    const at = this.placeOf(event);
    this.host.focus({ preventScroll: true });
    this.host.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size === 2 && event.pointerType === "touch") {
      if (this.mode === "tool") this.target.abandon();
      this.mode = "pinch";
    } else if (this.mode === "idle") {
      this.start = at;
      this.mode = this.meaningOf(event);
      if (this.mode === "tool") this.target.press(at.x, at.y, isNegative(event));
      // Keeps the middle button from scrolling the page, and a press from selecting text.
      event.preventDefault();
    }
  }

  private meaningOf(event: PointerEvent): Mode {
    if (event.button === 1 || this.spaceHeld) return "pan";
    if (event.button === 2) return "right";
    if (this.target.pans) return "pan";
    // A finger waits: it may be the first of two.
    return event.pointerType === "touch" ? "finger" : "tool";
  }

  private moved(event: PointerEvent): void {
    const at = this.placeOf(event);
    const last = this.pointers.get(event.pointerId);
    if (last === undefined) {
      this.hover(at);
      return;
    }
    const [dx, dy] = [at.x - this.start.x, at.y - this.start.y];
    const far = Math.hypot(dx, dy);
    if (this.mode === "finger" && far > STILL_FINGER) {
      this.mode = "tool";
      this.target.press(this.start.x, this.start.y, isNegative(event));
    }
    if (this.mode === "right" && far > STILL) {
      this.mode = "windowing";
      this.target.beginWindowing();
    }
    if (this.mode === "tool") this.drag(event);
    else if (this.mode === "pan") this.target.pan(at.x - last.x, at.y - last.y);
    else if (this.mode === "windowing") this.target.windowing(dx, dy);
    else if (this.mode === "pinch") this.pinch(event.pointerId, at);
    this.pointers.set(event.pointerId, at);
  }

  private hover(at: Place): void {
    // Browsers also report a mouse that rests, when the page moves under it.
    if (this.mode !== "idle" || (at.x === this.hovered?.x && at.y === this.hovered.y)) return;
    this.hovered = at;
    this.target.hover(at.x, at.y);
  }

  /** All places since the last frame, so that quick strokes are as round as they were drawn. */
  private drag(event: PointerEvent): void {
    const between = event.getCoalescedEvents();
    for (const each of between.length > 0 ? between : [event]) {
      const { x, y } = this.placeOf(each);
      this.target.move(x, y);
    }
  }

  private pinch(moving: number, at: Place): void {
    const before = this.pointers.get(moving);
    const [, other] = [...this.pointers].find(([id]) => id !== moving) ?? [];
    if (before === undefined || other === undefined) return;
    const distance = (p: Place) => Math.max(Math.hypot(p.x - other.x, p.y - other.y), 1);
    this.target.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.target.zoom(distance(at) / distance(before), (at.x + other.x) / 2, (at.y + other.y) / 2);
  }

  private up(event: PointerEvent): void {
    if (!this.pointers.delete(event.pointerId)) return;
    const { x, y } = this.placeOf(event);
    const still = Math.hypot(x - this.start.x, y - this.start.y) <= STILL;
    if (this.mode === "finger") this.target.press(this.start.x, this.start.y, isNegative(event));
    if (this.mode === "finger" || this.mode === "tool") this.target.release(x, y);
    else if (this.mode === "right") this.target.rightClick(x, y);
    else if (this.mode === "pan" && still && event.button === 0 && !this.spaceHeld) this.target.place(x, y);
    this.mode = this.pointers.size === 0 ? "idle" : "over";
  }

  private lost(event: PointerEvent): void {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.mode === "tool") this.target.abandon();
    this.mode = this.pointers.size === 0 ? "idle" : "over";
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const delta = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * WHEEL_LINE;
    if (event.ctrlKey || event.metaKey) {
      const { x, y } = this.placeOf(event);
      // Trackpads send a pinch as a wheel with Ctrl, in small steps.
      this.target.zoom(Math.exp(-Math.max(-100, Math.min(delta, 100)) * 0.0025), x, y);
      return;
    }
    // A wheel that is touched in the middle of a stroke must not take it away.
    if (this.mode !== "idle") return;
    if (this.scrolled !== 0 && Math.sign(delta) !== Math.sign(this.scrolled)) this.scrolled = 0;
    this.scrolled += delta;
    if (Math.abs(this.scrolled) < WHEEL_STEP) return;
    this.target.scroll(Math.sign(this.scrolled));
    this.scrolled = 0;
  }

  private placeOf(event: MouseEvent): Place {
    const box = this.host.getBoundingClientRect();
    return {
      x: event.clientX - box.left - this.host.clientLeft,
      y: event.clientY - box.top - this.host.clientTop,
    };
  }
}

/** Shift, Alt, or the other end of a pen. */
function isNegative(event: PointerEvent): boolean {
  return event.shiftKey || event.altKey || event.button === 5;
}
