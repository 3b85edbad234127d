// A walk's frames, all fetched at once: one strip of pictures, decoded away from the page's thread and drawn from.
import { type Body, drawn } from "./drawing";
import type { Picture } from "./found";

export interface Film {
  strip: ImageBitmap;
  frames: number;
  width: number;
  height: number;
  /** Pixels from the left edge of a frame to that of the next: strips have a gap between. */
  step: number;
}

export const FRAMES = 65;
/** Pixels that a strip may be wide: a browser's pictures end at 65,535, and this many of 512 pixels take 68 MB. */
const WIDEST = 33_000;

export interface Cut {
  frames: number;
  /** Longer side that is asked for; null as it is made. */
  size: number | null;
}

/** As many frames as are wanted, smaller where they were too large together. */
export function cutOf(picture: Picture, frames: number = FRAMES): Cut {
  const most = Math.floor(WIDEST / frames);
  return { frames, size: Math.max(picture.width, picture.height) > most ? most : null };
}

export async function develop(json: Body, picture: Picture, signal: AbortSignal): Promise<Film> {
  const bytes = await drawn("/v1/interpolations", json, "image/png", signal);
  const strip = await createImageBitmap(bytes, { colorSpaceConversion: "none" });
  const frames = Number(json.frames);
  const { height } = strip;
  const width = Math.round((picture.width * height) / picture.height);
  return { strip, frames, width, height, step: (strip.width - width) / (frames - 1) };
}

/** Draw a frame; the canvas has the frames' size, so that levels stay what they are. */
export function project(film: Film, canvas: HTMLCanvasElement, frame: number): void {
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  const { strip, width, height, step } = film;
  ctx.globalCompositeOperation = "copy";
  ctx.drawImage(strip, frame * step, 0, width, height, 0, 0, width, height);
}
