/** What keys and buttons may ask of the planes on the screen. */

import { signal } from "@preact/signals";

export interface PlaneControls {
  zoomBy(factor: number): void;
  fit(): void;
}

/** The plane that is worked on. */
export const controls = signal<PlaneControls | null>(null);
/** All masks are hidden for a look at the picture. */
export const masksHidden = signal(false);
