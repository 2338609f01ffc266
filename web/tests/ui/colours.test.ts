import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const CSS = readFileSync(new URL("../../src/ui/styles/colours.css", import.meta.url), "utf8");

/** The colours of a theme by name. */
function themeOf(selector: string): Map<string, string> {
  const start = CSS.indexOf(`${selector} {`);
  const block = CSS.slice(start, CSS.indexOf("}", start));
  return new Map(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1] ?? "", found[2] ?? ""]),
  );
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, two: string): number {
  const [light, dark] = [luminance(one), luminance(two)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const TEXT = [
  ["ink", "surface", "raised", "hover", "ground", "accent-ground"],
  ["quiet", "surface", "raised", "ground", "accent-ground", "bad-ground"],
  ["accent", "accent-ground"],
  ["on-accent", "accent"],
  ["good", "surface"],
  ["started", "surface"],
  ["bad", "surface", "bad-ground"],
] as const;
const EDGES = [
  ["edge", "surface", "raised", "ground"],
  ["accent", "surface", "ground"],
] as const;

test.each([":root", ':root[data-theme="light"]'])(
  "%s can be read by people with low contrast vision (AA)",
  (selector) => {
    const theme = themeOf(selector);
    const of = (name: string) => theme.get(name) ?? expect.fail(`there is no colour ${name}`);
    for (const [pairs, least] of [
      [TEXT, 4.5],
      [EDGES, 3],
    ] as const) {
      for (const [colour, ...grounds] of pairs) {
        for (const ground of grounds) {
          expect(contrast(of(colour), of(ground)), `${colour} on ${ground}`).toBeGreaterThanOrEqual(least);
        }
      }
    }
  },
);
