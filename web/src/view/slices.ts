/**
 * Slices in memory, and those ahead of the user on their way: `SliceCache`.
 *
 * Scrolling takes what is there and asks for what is not; requests that nobody waits for any more are given up.
 * Masks and the model have nothing to do with it.
 */

import type { Axis, Levels } from "./types";

export type LoadSlice = (caseId: string, axis: Axis, index: number, signal: AbortSignal) => Promise<Levels>;

export interface SliceCacheOptions {
  load?: LoadSlice;
  /** Of all slices together; the oldest go first. */
  maxBytes?: number;
  /** How many slices are asked for ahead, in the direction of scrolling; a third as many the other way. */
  ahead?: number;
}

interface Pending {
  readonly promise: Promise<Levels>;
  readonly abort: AbortController;
}

/** Browsers open six connections to a server; some must stay free for what is not ahead of the user. */
const AT_ONCE = 3;

export class SliceCache {
  private readonly load: LoadSlice;
  private readonly maxBytes: number;
  private readonly ahead: number;
  private readonly held = new Map<string, Levels>();
  private readonly pending = new Map<string, Pending>();
  /** By case and axis: what is shown there, and which way it went last. */
  private readonly shown = new Map<string, { index: number; direction: 1 | -1 }>();
  /** By case and axis: what is to be asked for next. */
  private readonly queues = new Map<string, number[]>();
  private bytes = 0;

  constructor({ load = loadSlice, maxBytes = 256 * 2 ** 20, ahead = 9 }: SliceCacheOptions = {}) {
    this.load = load;
    this.maxBytes = maxBytes;
    this.ahead = ahead;
  }

  /** A slice, if it is in memory. */
  get(caseId: string, axis: Axis, index: number): Levels | undefined {
    return this.held.get(keyOf(caseId, axis, index));
  }

  /**
   * A slice that is shown now. Its neighbours are asked for once it is there.
   *
   * @param count How many slices there are along the axis.
   * @returns Rejects with an `AbortError` where another slice of the axis was asked for meanwhile.
   */
  async show(caseId: string, axis: Axis, index: number, count: number): Promise<Levels> {
    const stack = `${caseId}/${axis}`;
    const before = this.shown.get(stack);
    const direction =
      before === undefined || before.index === index
        ? (before?.direction ?? 1)
        : index > before.index
          ? 1
          : -1;
    this.shown.set(stack, { index, direction });
    const wanted = this.neighbours(index, direction, count);
    this.dropAllBut(stack, [index, ...wanted]);
    this.queues.set(stack, []);
    const key = keyOf(caseId, axis, index);
    const levels = this.touch(key) ?? (await this.request(key, caseId, axis, index).promise);
    if (this.shown.get(stack)?.index !== index)
      throw new DOMException("another slice is shown", "AbortError");
    this.queues.set(
      stack,
      wanted.filter((each) => !this.held.has(keyOf(caseId, axis, each))),
    );
    this.fetchAhead(caseId, axis);
    return levels;
  }

  /** Forget a case, or everything. */
  forget(caseId?: string): void {
    const isIts = (key: string) => caseId === undefined || key.startsWith(`${caseId}/`);
    for (const stack of [...this.shown.keys()].filter(isIts)) {
      this.shown.delete(stack);
      this.queues.delete(stack);
      this.dropAllBut(stack, []);
    }
    for (const [key, levels] of [...this.held]) {
      if (!isIts(key)) continue;
      this.held.delete(key);
      this.bytes -= levels.data.byteLength;
    }
  }

  /** Slices to ask for ahead, the nearest first. */
  private neighbours(index: number, direction: 1 | -1, count: number): number[] {
    const behind = Math.ceil(this.ahead / 3);
    const found: number[] = [];
    for (let step = 1; step <= this.ahead; step++) {
      found.push(index + direction * step);
      if (step <= behind) found.push(index - direction * step);
    }
    return found.filter((each) => each >= 0 && each < count);
  }

  private fetchAhead(caseId: string, axis: Axis): void {
    const queue = this.queues.get(`${caseId}/${axis}`);
    while (queue !== undefined && queue.length > 0 && this.pending.size < AT_ONCE) {
      const index = queue.shift() as number;
      const key = keyOf(caseId, axis, index);
      if (this.held.has(key) || this.pending.has(key)) continue;
      // What fails or is given up is asked for again when it is shown.
      const next = () => this.fetchNext();
      this.request(key, caseId, axis, index).promise.then(next, next);
    }
  }

  /** Whichever plane still waits. */
  private fetchNext(): void {
    for (const [stack, queue] of this.queues) {
      const [caseId, axis] = stack.split("/");
      if (queue.length > 0) this.fetchAhead(caseId as string, axis as Axis);
    }
  }

  private request(key: string, caseId: string, axis: Axis, index: number): Pending {
    const running = this.pending.get(key);
    if (running !== undefined) return running;
    const abort = new AbortController();
    const promise = this.load(caseId, axis, index, abort.signal).then(
      (levels) => {
        if (this.pending.get(key)?.abort === abort) {
          this.pending.delete(key);
          this.keep(key, levels);
        }
        return levels;
      },
      (problem: unknown) => {
        if (this.pending.get(key)?.abort === abort) this.pending.delete(key);
        throw problem;
      },
    );
    const found = { promise, abort };
    this.pending.set(key, found);
    return found;
  }

  private dropAllBut(stack: string, indices: readonly number[]): void {
    const kept = new Set(indices.map((index) => `${stack}/${index}`));
    for (const [key, { abort }] of [...this.pending]) {
      if (!key.startsWith(`${stack}/`) || kept.has(key)) continue;
      this.pending.delete(key);
      abort.abort();
    }
  }

  private keep(key: string, levels: Levels): void {
    this.held.set(key, levels);
    this.bytes += levels.data.byteLength;
    for (const [oldest, { data }] of this.held) {
      if (this.bytes <= this.maxBytes || oldest === key) break;
      this.held.delete(oldest);
      this.bytes -= data.byteLength;
    }
  }

  private touch(key: string): Levels | undefined {
    const found = this.held.get(key);
    if (found === undefined) return undefined;
    this.held.delete(key);
    this.held.set(key, found);
    return found;
  }
}

function keyOf(caseId: string, axis: Axis, index: number): string {
  return `${caseId}/${axis}/${index}`;
}

/** A slice from the server, as stored values. */
export const loadSlice: LoadSlice = async (caseId, axis, index, signal) => {
  const answer = await fetch(`/api/v1/cases/${caseId}/slices/${axis}/${index}?values=true`, { signal });
  if (!answer.ok) throw new Error(`the server did not give slice ${index} (${answer.status})`);
  const [height, width, channels = "1"] = (answer.headers.get("X-Shape") ?? "").split("x");
  return {
    width: Number(width),
    height: Number(height),
    channels: channels === "3" ? 3 : 1,
    data: typed(answer.headers.get("X-Type"), await answer.arrayBuffer()),
  };
};

function typed(type: string | null, buffer: ArrayBuffer): Levels["data"] {
  switch (type) {
    case "int16":
      return new Int16Array(buffer);
    case "uint16":
      return new Uint16Array(buffer);
    case "float32":
      return new Float32Array(buffer);
    case "uint8":
      return new Uint8Array(buffer);
    default:
      throw new Error(`the server sent values of an unknown type (${type ?? "none"})`);
  }
}
