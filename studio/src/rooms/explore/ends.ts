// The two ends of a walk: a picked picture or a photograph, and the keyframes that they are.
import { type Body, type Drawing, type Edit, type Shown, sampleOf } from "./drawing";

export interface SeedEnd {
  kind: "seed";
  seed: number;
  label: string | null;
  edits: readonly Edit[];
  /** Its picture, where no address has it. */
  picture: Blob | null;
}

export interface PhotoEnd {
  kind: "photo";
  name: string;
  picture: Blob;
  latent: readonly number[];
  label: string | null;
  distance: number;
}

export type End = SeedEnd | PhotoEnd;
export type Ends = { a: End | null; b: End | null };

/** `42:3` of an address: the seed, and the label if one was chosen. */
export function endIn(word: string | null, classes: readonly string[]): SeedEnd | null {
  const [, seed, label] = word?.match(/^(\d{1,16})(?::(.*))?$/) ?? [];
  if (seed === undefined || !Number.isSafeInteger(Number(seed))) return null;
  const known = label !== undefined && classes.includes(label) ? label : null;
  return { kind: "seed", seed: Number(seed), label: known, edits: [], picture: null };
}

/** How the address keeps an end; null where it cannot. */
export function wordOf(end: End | null): string | null {
  if (end?.kind !== "seed" || end.edits.length > 0) return null;
  return end.label === null ? `${end.seed}` : `${end.seed}:${end.label}`;
}

/** How an end that is a seed is drawn. */
export function shownAt(end: SeedEnd, drawing: Drawing, input: string | null): Shown {
  return { drawing: { ...drawing, label: end.label }, seed: end.seed, edits: end.edits, input };
}

export interface Walk {
  keyframes: Body[];
  /** ψ of the request: 1 where the keyframes are latents, which have it in them. */
  truncation: number;
}

/** Seeds where both ends are such, so that the request stays short; else the latents of both. */
export async function walkOf(
  a: End,
  b: End,
  drawing: Drawing,
  input: string | null,
  signal: AbortSignal,
): Promise<Walk> {
  const plain = [a, b].every((end) => end.kind === "seed" && end.edits.length === 0);
  const keyframe = plain ? seedFrame : latentFrame;
  const keyframes = await Promise.all([a, b].map((end) => keyframe(end, drawing, input, signal)));
  const { condition } = drawing;
  return {
    keyframes: keyframes.map((frame) => (condition ? { ...frame, condition } : frame)),
    truncation: plain ? drawing.truncation : 1,
  };
}

const labelled = (frame: Body, label: string | null): Body => (label === null ? frame : { ...frame, label });

function seedFrame(end: End): Promise<Body> {
  return Promise.resolve(labelled({ seed: (end as SeedEnd).seed }, end.label));
}

async function latentFrame(end: End, drawing: Drawing, input: string | null, signal: AbortSignal): Promise<Body> {
  if (end.kind === "photo") return labelled({ latent: end.latent }, end.label);
  const { latent, label, condition } = await sampleOf(shownAt(end, drawing, input), signal);
  return labelled(condition ? { latent, condition } : { latent }, label);
}
