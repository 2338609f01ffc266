import { beforeEach, describe, expect, it, vi } from "vitest";
import { Bitmap } from "../../src/view/bits";
import { Caret } from "../../src/view/caret";
import { FIT, Frame } from "../../src/view/geometry";
import type { Stroke } from "../../src/view/stroke";
import { type Bench, makeTool, type Tool } from "../../src/view/tools";
import type { Drawing, ToolName } from "../../src/view/types";

const size = { width: 40, height: 30 };
const frame = new Frame({ ...size, aspect: 1, screenWidth: 400, screenHeight: 300 }, FIT);

/** A stroke without canvases. */
function fakeStroke(mode: "add" | "erase") {
  const drawn = new Bitmap(size.width, size.height);
  return {
    span: (y: number, x0: number, x1: number) => drawn.fill(y, x0, x1, 1),
    drawing: (): Drawing | null => {
      const box = drawn.bounds();
      return box && { ...drawn.packed(box), mode };
    },
  } as unknown as Stroke;
}

const told = { box: vi.fn(), points: vi.fn(), draw: vi.fn(), discard: vi.fn() };

function bench(): Bench {
  return {
    size,
    aspect: 1,
    frame,
    settings: { brushRadius: 2, label: 3, colour: "#ff0000" },
    callbacks: { onBox: told.box, onPoints: told.points, onDraw: told.draw },
    begin: fakeStroke,
    commit: (stroke) => {
      const drawing = stroke.drawing();
      if (drawing !== null) told.draw(drawing);
    },
    discard: told.discard,
    redraw: () => {},
  };
}

const tool = (name: ToolName) => makeTool(name, bench()) as Tool;

function drag(held: Tool, ...places: [number, number][]): void {
  const [first, ...others] = places;
  held.press(first as [number, number], false);
  for (const place of others) held.move(place);
  held.release(places[places.length - 1] as [number, number]);
}

const lastDrawing = () => told.draw.mock.lastCall?.[0] as Drawing;

beforeEach(() => {
  for (const each of Object.values(told)) each.mockReset();
});

describe("box", () => {
  it("is dragged from corner to corner", () => {
    drag(tool("box"), [3.2, 4.5], [5, 5], [10.1, 8]);
    expect(told.box.mock.calls).toEqual([[[3, 4, 11, 8]]]);
  });

  it("is set by two clicks as well", () => {
    const held = tool("box");
    drag(held, [3.2, 4.5]);
    expect(told.box).not.toHaveBeenCalled();
    drag(held, [10.1, 8]);
    expect(told.box.mock.calls).toEqual([[[3, 4, 11, 8]]]);
  });

  it("is dropped by Escape", () => {
    const held = tool("box");
    held.press([3, 4], false);
    expect(held.cancel()).toBe(true);
    expect(held.cancel()).toBe(false);
    held.release([20, 20]);
    expect(told.box).not.toHaveBeenCalled();
  });
});

describe("points", () => {
  it("say the pixel that was clicked, and whether it is inside", () => {
    tool("point+").press([7.9, 2.1], false);
    tool("point+").press([7.9, 2.1], true);
    tool("point-").press([7.9, 2.1], false);
    expect(told.points.mock.calls).toEqual([[[[7, 2, 1]]], [[[7, 2, 0]]], [[[7, 2, 0]]]]);
  });

  it("are not set outside of the slice", () => {
    tool("point+").press([40, 2], false);
    tool("point+").press([3, -0.1], false);
    expect(told.points).not.toHaveBeenCalled();
  });
});

describe("scribble", () => {
  it("gives at most twenty points along its way, inside of the slice", () => {
    drag(tool("scribble"), [1, 1], [39, 1], [39, 29], [-20, 29]);
    const points = told.points.mock.calls[0]?.[0] as [number, number, number][];
    expect(points).toHaveLength(20);
    expect(points[0]).toEqual([1, 1, 1]);
    expect(points[19]).toEqual([0, 29, 1]);
  });
});

describe("drawing", () => {
  it("fills what a lasso encloses", () => {
    drag(tool("lasso"), [2, 2], [8, 2], [8, 5], [2, 5]);
    expect(lastDrawing()).toEqual({
      box: [2, 2, 8, 5],
      bits: Uint8Array.of(255, 255, 0b11000000),
      mode: "add",
    });
  });

  it("takes away with Shift", () => {
    const held = tool("lasso");
    held.press([2, 2], true);
    for (const place of [
      [8, 2],
      [8, 5],
      [2, 5],
    ] as const)
      held.move(place);
    held.release([2, 5]);
    expect(lastDrawing().mode).toBe("erase");
  });

  it("with an eraser erases, and cuts off what is outside", () => {
    drag(tool("eraser"), [-1, 0.5], [3.5, 0.5]);
    expect(lastDrawing()).toMatchObject({ mode: "erase", box: [0, 0, 6, 3] });
  });

  it("with a brush outside of the slice draws nothing", () => {
    drag(tool("brush"), [-9, -9], [-8, -9]);
    expect(told.draw).not.toHaveBeenCalled();
  });

  it("with a brush is dropped by Escape", () => {
    const held = tool("brush");
    held.press([5, 5], false);
    expect(held.cancel()).toBe(true);
    held.release([5, 5]);
    expect(told.discard).toHaveBeenCalledOnce();
    expect(told.draw).not.toHaveBeenCalled();
  });
});

describe("polygon", () => {
  const corners = [
    [2, 2],
    [8, 2],
    [8, 5],
  ] as const;

  it.each([
    ["Enter", (held: Tool) => expect(held.finish?.()).toBe(true)],
    ["a click on the first corner", (held: Tool) => held.press([2.3, 2.3], false)],
    ["a double click", (held: Tool) => held.press([2.1, 5.1], false)],
  ])("is closed by %s", (_, close) => {
    const held = tool("polygon");
    for (const place of [...corners, [2, 5]] as const) held.press(place, false);
    expect(told.draw).not.toHaveBeenCalled();
    close(held);
    expect(lastDrawing().box).toEqual([2, 2, 8, 5]);
    expect(held.cancel()).toBe(false);
  });

  it("loses its last corner by Backspace, down to none", () => {
    const held = tool("polygon");
    for (const place of [...corners, [39, 29], [2, 5]] as const) held.press(place, false);
    expect([held.stepBack?.(), held.stepBack?.()]).toEqual([true, true]);
    held.press([2, 5], false);
    held.finish?.();
    expect(lastDrawing().box).toEqual([2, 2, 8, 5]);
    expect(held.stepBack?.()).toBe(false);
  });
});

describe("keys", () => {
  function caretOf(held: Tool | null) {
    const place = vi.fn();
    return { place, caret: new Caret({ size, tool: held, start: [10.5, 10.5], onCaret: () => {}, place }) };
  }

  const press = (caret: Caret, ...keys: string[]) => {
    for (const key of keys) caret.key(key.replace("Shift+", ""), key.startsWith("Shift+"), false);
  };

  it("show the cursor first, then move it by one pixel or ten, and not outside", () => {
    const { caret } = caretOf(null);
    press(caret, "ArrowRight");
    expect(caret.at).toEqual([10.5, 10.5]);
    press(caret, "ArrowRight", "Shift+ArrowDown");
    expect(caret.at).toEqual([11.5, 20.5]);
    press(caret, "Shift+ArrowDown", "Shift+ArrowDown");
    expect(caret.at).toEqual([11.5, 29.5]);
  });

  it("set a box by its two corners", () => {
    const { caret } = caretOf(tool("box"));
    press(caret, "ArrowLeft", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter");
    expect(told.box.mock.calls).toEqual([[[10, 10, 21, 21]]]);
  });

  it("click", () => {
    const { caret } = caretOf(tool("point+"));
    press(caret, "ArrowLeft", "ArrowLeft", "Enter", "ArrowUp", "Enter");
    expect(told.points.mock.calls).toEqual([[[[9, 10, 1]]], [[[9, 9, 1]]]]);
  });

  it("draw with a brush from Enter to Enter", () => {
    const { caret } = caretOf(tool("brush"));
    press(caret, "ArrowLeft", "Enter", "Shift+ArrowRight");
    expect(told.draw).not.toHaveBeenCalled();
    press(caret, "Enter");
    expect(lastDrawing()).toMatchObject({ box: [8, 8, 23, 13], mode: "add" });
  });

  it("set the corners of a polygon, and close it by Enter twice", () => {
    const { caret } = caretOf(tool("polygon"));
    press(caret, "ArrowLeft", "Enter", "Shift+ArrowRight", "Enter", "Shift+ArrowDown", "Enter", "Enter");
    expect(lastDrawing().mode).toBe("add");
  });

  it("give way to the mouse, and drop what they had begun", () => {
    const { caret } = caretOf(tool("brush"));
    press(caret, "ArrowLeft", "Enter");
    caret.hide();
    expect(caret.at).toBeNull();
    expect(told.discard).toHaveBeenCalledOnce();
  });

  it("bring other planes to the cursor with the pan tool", () => {
    const { caret, place } = caretOf(null);
    press(caret, "ArrowLeft", "Enter");
    expect(place).toHaveBeenCalledWith([10.5, 10.5]);
  });

  it("leave what they do not mean to others", () => {
    const { caret } = caretOf(tool("point+"));
    expect(["Enter", "Escape", "Backspace", "a"].map((key) => caret.key(key, false, false))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
