// How pictures are drawn: all that is chosen beside the seed, as addresses and as requests have it.
import { type Ask, address, ask, type Schemas } from "../../api/client";

export type Edit = { direction: number; amount: number; method: "pca" | "factorisation" };

export interface Drawing {
  /** A checkpoint's id: its pictures never change, so that browsers keep them. */
  model: string;
  label: string | null;
  /** ψ in [0, 1]. */
  truncation: number;
  /** Half-life of the average that draws, in images; null: the checkpoint's own choice. */
  ema: number | null;
  condition: readonly number[] | null;
}

/** One picture: a seed drawn in some way, perhaps moved along directions, perhaps of an input (base64). */
export interface Shown {
  drawing: Drawing;
  seed: number;
  edits: readonly Edit[];
  input: string | null;
}

export type Body = Record<string, unknown>;

/** What is said, without what is null, empty, or the default. */
function said(body: Body): Body {
  const empty = (value: unknown): boolean => value == null || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(body).filter(([, value]) => !empty(value)));
}

const unlessOne = (truncation: number): number | null => (truncation === 1 ? null : truncation);

/** A seed as an address; `size` is the longer side in pixels, null as it is made. */
export function pictureAddress(drawing: Drawing, seed: number, extension: string, size: number | null = null): string {
  const { model, label, truncation, ema, condition } = drawing;
  const query = { label, truncation: unlessOne(truncation), size, ema, condition: condition?.join(",") };
  return address(`/v1/models/${encodeURIComponent(model)}/images/${seed}.${extension}`, query);
}

/** A request for samples: `which` is `{seed}`, `{seed, count}` or `{latents}`. */
export function samplesBody(drawing: Drawing, which: Body, more: Body = {}): Body {
  const { model, label, truncation, ema, condition } = drawing;
  const labels = label === null ? null : [label];
  return { model, ...which, ...said({ labels, truncation: unlessOne(truncation), ema, condition, ...more }) };
}

export function shownBody(shown: Shown, more: Body = {}): Body {
  const inputs = shown.input === null ? null : [shown.input];
  return samplesBody(shown.drawing, { seed: shown.seed }, { edits: shown.edits, inputs, ...more });
}

/** Whether an address says all of it. */
export function addressable(shown: Shown): boolean {
  return shown.edits.length === 0 && shown.input === null;
}

const posted = (json: Body, accept: string, signal?: AbortSignal): Ask => ({
  method: "POST",
  json,
  accept,
  ...(signal && { signal }),
});

/** A picture's bytes as PNG. */
export async function pictureOf(shown: Shown, signal?: AbortSignal): Promise<Blob> {
  const { drawing, seed } = shown;
  if (!addressable(shown)) return (await ask("/v1/samples", posted(shownBody(shown), "image/png", signal))).blob();
  return (await ask(pictureAddress(drawing, seed, "png"), { accept: "image/png", ...(signal && { signal }) })).blob();
}

/** What the generator was given: latent (truncated already), label, condition. Costs no forward. */
export async function sampleOf(shown: Shown, signal?: AbortSignal): Promise<Schemas["Sample"]> {
  const json = shownBody(shown, { return: ["latent"] });
  const answer = await ask("/v1/samples", posted(json, "application/json", signal));
  const [first] = ((await answer.json()) as Schemas["SampleList"]).data;
  if (!first) throw new Error("The server answered without a sample.");
  return first;
}

/** The answer to samples or a walk, as bytes of a type. */
export async function drawn(path: string, json: Body, accept: string, signal?: AbortSignal): Promise<Blob> {
  return (await ask(path, posted(json, accept, signal))).blob();
}

/** Bytes as base64, without a data address's head. */
export function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(`${reader.result}`.replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Calls of `act`, one at a time; of those that come meanwhile the last alone follows. */
export function latest<T>(act: (given: T) => Promise<void>): (given: T) => void {
  let waiting: T[] = [];
  let busy = false;
  async function work(): Promise<void> {
    busy = true;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await act(next).catch(() => undefined);
    busy = false;
  }
  return (given) => {
    waiting = [given];
    if (!busy) void work();
  };
}
