import { describe, expect, it } from "vitest";
import { type LoadSlice, SliceCache } from "../../src/view/slices";
import type { Levels } from "../../src/view/types";

const BYTES = 64;

function levels(): Levels {
  return { width: 8, height: 8, channels: 1, data: new Uint8Array(BYTES) };
}

/** A server that answers when it is told to. */
function server() {
  const asked: string[] = [];
  const given: string[] = [];
  const open = new Map<string, () => void>();
  const load: LoadSlice = (_, axis, index, signal) => {
    const name = `${axis}${index}`;
    asked.push(name);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => {
        given.push(name);
        open.delete(name);
        reject(signal.reason);
      });
      open.set(name, () => {
        open.delete(name);
        resolve(levels());
      });
    });
  };
  const settle = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return {
    load,
    asked,
    given,
    open,
    async answer(name: string) {
      open.get(name)?.();
      await settle();
    },
    async answerAll() {
      while (open.size > 0) for (const name of [...open.keys()]) await this.answer(name);
    },
  };
}

describe("SliceCache", () => {
  it("asks for the shown slice first and alone, then ahead in the direction of scrolling", async () => {
    const { load, asked, answer } = server();
    const cache = new SliceCache({ load, ahead: 3 });
    const first = cache.show("c", "z", 10, 100);
    expect(asked).toEqual(["z10"]);
    await answer("z10");
    await first;
    expect(asked.slice(1)).toEqual(["z11", "z9", "z12"]);
  });

  it("turns around with the user", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 3 });
    void cache.show("c", "z", 10, 100);
    await s.answer("z10");
    await s.answerAll();
    void cache.show("c", "z", 9, 100);
    await s.answerAll();
    expect(s.asked.slice(-3).sort()).toEqual(["z6", "z7", "z8"]);
  });

  it("asks for nothing twice and nothing beyond the ends", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 9 });
    void cache.show("c", "z", 1, 4);
    await s.answer("z1");
    await s.answerAll();
    void cache.show("c", "z", 2, 4);
    await s.answerAll();
    expect([...s.asked].sort()).toEqual(["z0", "z1", "z2", "z3"]);
    expect(cache.get("c", "z", 3)).toBeDefined();
    expect(cache.get("c", "x", 3)).toBeUndefined();
  });

  it("gives up what nobody waits for any more", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 1 });
    const overtaken = cache.show("c", "z", 10, 100);
    const latest = cache.show("c", "z", 50, 100);
    expect(s.given).toEqual(["z10"]);
    await expect(overtaken).rejects.toMatchObject({ name: "AbortError" });
    await s.answer("z50");
    await expect(latest).resolves.toBeDefined();
  });

  it("keeps a slice that is on its way where it becomes the shown one", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 3 });
    void cache.show("c", "z", 10, 100);
    await s.answer("z10");
    const next = cache.show("c", "z", 11, 100);
    await s.answer("z11");
    await expect(next).resolves.toBeDefined();
    expect(s.asked.filter((name) => name === "z11")).toHaveLength(1);
  });

  it("leaves other planes alone", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 0 });
    const other = cache.show("c", "x", 5, 100);
    void cache.show("c", "z", 10, 100);
    await s.answer("x5");
    await expect(other).resolves.toBeDefined();
  });

  it("forgets the oldest slices when there are too many", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 0, maxBytes: 3 * BYTES });
    for (const index of [0, 1, 2, 0, 3]) {
      void cache.show("c", "z", index, 100);
      await s.answer(`z${index}`);
    }
    const held = [0, 1, 2, 3].filter((index) => cache.get("c", "z", index) !== undefined);
    expect(held).toEqual([0, 2, 3]); // 0 was looked at again, so 1 was the oldest
  });

  it("asks again for what failed", async () => {
    let fails = true;
    const load: LoadSlice = () => (fails ? Promise.reject(new Error("gone")) : Promise.resolve(levels()));
    const cache = new SliceCache({ load, ahead: 0 });
    await expect(cache.show("c", "z", 1, 9)).rejects.toThrow("gone");
    fails = false;
    await expect(cache.show("c", "z", 1, 9)).resolves.toBeDefined();
  });

  it("forgets a case, and what was on its way", async () => {
    const s = server();
    const cache = new SliceCache({ load: s.load, ahead: 0 });
    void cache.show("a", "z", 1, 9);
    await s.answer("z1");
    void cache.show("b", "z", 2, 9);
    await s.answer("z2");
    const late = cache.show("a", "z", 3, 9);
    cache.forget("a");
    await expect(late).rejects.toMatchObject({ name: "AbortError" });
    expect(cache.get("a", "z", 1)).toBeUndefined();
    expect(cache.get("b", "z", 2)).toBeDefined();
  });
});
