// The upload that is on its way. It belongs to the page and not to a room, so that it goes on while somebody looks around.
import { computed, effect, signal } from "@preact/signals";
import { type Dataset, upload } from "../../api/client";
import type { Source } from "./gather";
import { packed } from "./pack";

export interface Wish {
  source: Source;
  name: string;
  /** Pixels; empty where the data decide. */
  width: string;
  height: string;
}

export interface Sending {
  name: string;
  step: "packing" | "sending";
  /** How much of the step is done, 0 to 1. */
  share: number;
  bytes: number;
  stop: () => void;
}

export const sending = signal<Sending | null>(null);

/** Whether one is; unlike `sending` it does not change with every percent. */
export const busy = computed(() => sending.value !== null);

/** Why the last one did not arrive; null where it did, was given up, or another was begun. */
export const failed = signal<Error | null>(null);

/** What was packed for a wish that was then refused, its name being taken, say. */
const zips = new WeakMap<Source, Blob>();

/** The dataset, once all of it has arrived; null where it did not, which `failed` then explains. */
export async function send(wish: Wish): Promise<Dataset | null> {
  failed.value = null;
  try {
    return await sent(wish);
  } catch (error) {
    failed.value = error instanceof Error && error.name !== "AbortError" ? error : null;
    return null;
  }
}

async function sent(wish: Wish): Promise<Dataset> {
  const halt = new AbortController();
  const begun = { name: wish.name, bytes: bytesOf(wish.source), stop: () => halt.abort() };
  const tell = (step: Sending["step"]) => (share: number) => {
    sending.value = { ...begun, step, share };
  };
  try {
    const file = await fileOf(wish.source, tell("packing"), halt.signal);
    tell("sending")(0);
    return await upload<Dataset>("/v1/datasets", formOf(wish, file), tell("sending"), halt.signal);
  } finally {
    sending.value = null;
  }
}

export function bytesOf(source: Source): number {
  return source.files.reduce((sum, { file }) => sum + file.size, 0);
}

async function fileOf(source: Source, told: (share: number) => void, signal: AbortSignal): Promise<Blob> {
  const [one] = source.files;
  if (source.kind !== "images" && one) return one.file;
  const zip = zips.get(source) ?? (await packed(source.files, told, signal));
  zips.set(source, zip);
  return zip;
}

function formOf({ source, name, width, height }: Wish, file: Blob): FormData {
  const form = new FormData();
  form.append("name", name);
  for (const [field, value] of Object.entries({ width, height })) if (value) form.append(field, value);
  form.append("file", file, source.kind === "images" ? "images.zip" : (source.files[0]?.file.name ?? ""));
  return form;
}

/** Leaving the page would end it, which a browser then asks about. */
function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

effect(() => {
  if (busy.value) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
});
