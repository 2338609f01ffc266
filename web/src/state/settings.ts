import { effect, signal } from "@preact/signals";
import { kept } from "./kept";

export type Theme = "auto" | "dark" | "light";

export const theme = kept<Theme>("theme", "auto");
/** Who works here; goes into the history beside each action. */
export const who = kept("who", "");
export const opacity = kept("opacity", 0.35);
export const contours = kept("contours", true);
export const promptsShown = kept("prompts-shown", true);
export const brushRadius = kept("brush-radius", 8);
/** Whether a key without Ctrl does something: people who dictate want it off. */
export const singleKeys = kept("single-keys", true);
/** Whether a box on a slice that has an answer keeps it and adds a further part. */
export const boxesAdd = signal(false);
/** Whether a model may look closer at small objects. */
export const zoomIn = kept("zoom-in", false);

export function setBrushRadius(radius: number): void {
  brushRadius.value = Math.min(Math.max(Math.round(radius), 1), 100);
}

export function followTheme(): void {
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    const light = theme.value === "light" || (theme.value === "auto" && system.matches);
    document.documentElement.dataset.theme = light ? "light" : "dark";
  };
  effect(apply);
  system.addEventListener("change", apply);
}
