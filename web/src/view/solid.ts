/**
 * The 3D view of a volume and its labels, by NiiVue: `openSolid`.
 *
 * Import this module when the view is opened (`await import`): NiiVue is larger than all of the page. It is given
 * what it shows as bytes and fetches nothing itself.
 */

import { Niivue, NVImage, SLICE_TYPE } from "@niivue/niivue";

export interface SolidLabel {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
  readonly visible: boolean;
}

/** There is no WebGL 2; the message says so to the user. */
export class NoWebGL extends Error {
  constructor() {
    super("The 3D view needs WebGL 2, which this browser lacks or has switched off. Everything else works.");
    this.name = "NoWebGL";
  }
}

const ROTATION = 10;
const ZOOM = 1.15;
/** Renderers that work on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
/** So that labels are seen inside of the body. */
const IMAGE_OPACITY = 0.25;

/**
 * Show a volume in a host element.
 *
 * @param imageUrl Where the volume is, as NIfTI.
 * @throws NoWebGL
 */
export async function openSolid(host: HTMLElement, { imageUrl }: { imageUrl: string }): Promise<Solid> {
  const solid = new Solid(host, rendererName());
  try {
    await solid.begin(imageUrl);
  } catch (problem) {
    solid.destroy();
    throw problem;
  }
  return solid;
}

/** A volume in 3D. Drag to turn it, wheel to zoom; arrow keys, plus and minus do the same. */
export class Solid {
  private readonly viewer: Niivue;
  private readonly canvas = document.createElement("canvas");
  private readonly abort = new AbortController();
  private labels: NVImage | null = null;
  /** Counts what was asked for, so that labels that were overtaken are not shown. */
  private asked = 0;

  constructor(
    private readonly host: HTMLElement,
    renderer: string,
  ) {
    this.viewer = new Niivue({
      sliceType: SLICE_TYPE.RENDER,
      backColor: [0, 0, 0, 0],
      show3Dcrosshair: false,
      isOrientationTextVisible: false,
      dragAndDropEnabled: false,
      loadingText: "",
      logLevel: "error",
      // Every ray takes hundreds of steps: without a graphics card, a quarter of them must do.
      forceDevicePixelRatio: SOFTWARE.test(renderer) ? 0.5 : 0,
    });
  }

  /** Load the volume. */
  async begin(imageUrl: string): Promise<void> {
    const { canvas, host, viewer } = this;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "3D view: drag or use the arrow keys to turn it");
    Object.assign(canvas.style, { width: "100%", height: "100%", display: "block" });
    host.append(canvas);
    canvas.addEventListener("keydown", (event) => this.key(event), { signal: this.abort.signal });
    const [, image] = await Promise.all([viewer.attachToCanvas(canvas), this.volume(imageUrl, "image.nii")]);
    image.colormap = "gray";
    viewer.addVolume(image);
    viewer.setOpacity(0, IMAGE_OPACITY);
    viewer.setRenderAzimuthElevation(120, 15);
  }

  /** Show another label map, or the same one in other colours. */
  async setLabels(url: string, labels: readonly SolidLabel[]): Promise<void> {
    const turn = ++this.asked;
    const map = await this.volume(url, "labels.nii");
    if (turn !== this.asked || this.abort.signal.aborted) return;
    map.setColormapLabel(colours(labels));
    if (this.labels !== null) this.viewer.removeVolume(this.labels);
    this.labels = map;
    this.viewer.addVolume(map);
  }

  /** How much of the image is seen around the labels, 0 to 1. */
  setImageOpacity(opacity: number): void {
    this.viewer.setOpacity(0, opacity);
  }

  destroy(): void {
    this.abort.abort();
    this.viewer.cleanup();
    giveBack(this.canvas.getContext("webgl2"));
    this.canvas.remove();
  }

  private async volume(url: string, name: string): Promise<NVImage> {
    const answer = await fetch(url, { signal: this.abort.signal });
    if (!answer.ok) throw new Error(`the server did not give the volume (${answer.status})`);
    return NVImage.loadFromUrl({ url: name, name, buffer: await answer.arrayBuffer() });
  }

  private key(event: KeyboardEvent): void {
    const { viewer } = this;
    const { renderAzimuth, renderElevation, volScaleMultiplier } = viewer.scene;
    if (event.key === "ArrowLeft")
      viewer.setRenderAzimuthElevation(renderAzimuth - ROTATION, renderElevation);
    else if (event.key === "ArrowRight")
      viewer.setRenderAzimuthElevation(renderAzimuth + ROTATION, renderElevation);
    else if (event.key === "ArrowUp")
      viewer.setRenderAzimuthElevation(renderAzimuth, renderElevation + ROTATION);
    else if (event.key === "ArrowDown")
      viewer.setRenderAzimuthElevation(renderAzimuth, renderElevation - ROTATION);
    else if (event.key === "+") viewer.setScale(volScaleMultiplier * ZOOM);
    else if (event.key === "-") viewer.setScale(volScaleMultiplier / ZOOM);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * What draws WebGL 2 here.
 *
 * @throws NoWebGL
 */
function rendererName(): string {
  const context = document.createElement("canvas").getContext("webgl2");
  if (context === null) throw new NoWebGL();
  const known = context.getExtension("WEBGL_debug_renderer_info");
  const name: unknown = context.getParameter(known?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER);
  giveBack(context);
  return String(name);
}

/** Browsers have few contexts: one is freed now, and not when memory runs out. */
function giveBack(context: WebGL2RenderingContext | null): void {
  context?.getExtension("WEBGL_lose_context")?.loseContext();
}

/** A colour table; what has no label, or a hidden one, is not seen. */
function colours(labels: readonly SolidLabel[]) {
  const rgb = (colour: string, at: number) => Number.parseInt(colour.slice(1 + 2 * at, 3 + 2 * at), 16);
  const all = [{ id: 0, name: "", colour: "#000000", visible: false }, ...labels].sort((a, b) => a.id - b.id);
  return {
    I: all.map((label) => label.id),
    R: all.map((label) => rgb(label.colour, 0)),
    G: all.map((label) => rgb(label.colour, 1)),
    B: all.map((label) => rgb(label.colour, 2)),
    A: all.map((label) => (label.visible ? 255 : 0)),
    labels: all.map((label) => label.name),
  };
}
