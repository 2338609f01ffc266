/**
 * Masks over the wire: the bits of a box, row after row without padding, eight to a byte from the highest,
 * compressed with zlib, as base64. In the page they stay packed; `view/bits` works on them.
 */

import type { Box, Patch as Mask } from "../view/types";

/** The mask that the server sent. */
export async function readPatch(box: Box, data: string): Promise<Mask> {
  const bits = await through(fromBase64(data), new DecompressionStream("deflate"));
  const expected = Math.ceil(((box[2] - box[0]) * (box[3] - box[1])) / 8);
  if (bits.length !== expected) throw new Error(`expected ${expected} bytes of mask, got ${bits.length}`);
  return { box, bits };
}

/** The bits of a mask as the server takes them. */
export async function writePatch(mask: Mask): Promise<string> {
  return toBase64(await through(Uint8Array.from(mask.bits), new CompressionStream("deflate")));
}

async function through(bytes: Uint8Array<ArrayBuffer>, transform: CompressionStream | DecompressionStream) {
  const stream = new Blob([bytes]).stream().pipeThrough(transform);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
