// What is said of jobs, in a few tables.
import type { Event, Job } from "../../api/client";
import { counted, lasting } from "../../ui/words";

/** What a job works on or makes: its model, else its dataset. */
export function named(job: Job): string {
  return job.model ?? job.dataset ?? job.id;
}

export function recipeOf(job: Job): string {
  return typeof job.spec.recipe === "string" ? job.spec.recipe : "";
}

/** `digits · r3gan`: how a job is told from others in a legend. */
export function titled(job: Job): string {
  return [named(job), recipeOf(job)].filter(Boolean).join(" · ");
}

/** Whether a training learns points, which its previews show before the data's own. */
export function ofPoints(job: Job | null): boolean {
  const network = job?.spec.network as { shape?: { kind?: string } } | undefined;
  return network?.shape?.kind === "points";
}

export const KINDS: Record<Job["type"], string> = {
  train: "Training",
  evaluate: "Evaluation",
  project: "Projection",
  prepare: "Preparation",
};

const UNITS: Partial<Record<Job["type"], string>> = { train: "images seen", prepare: "read" };

/** How far a job is: `12,800 images seen · 3,100 images/s · about 45 s to go`. */
export function howFar(job: Job): string {
  if (job.status === "queued") return job.queue_position ? `Number ${job.queue_position} in the queue` : "Waiting";
  const { images, total_images, images_per_second, eta_seconds } = job.progress ?? { images: 0 };
  const unit = UNITS[job.type];
  const going = job.status === "running";
  const total = total_images && job.finished_at === null ? ` of ${counted(total_images)}` : "";
  const said = [
    job.status === "running" && !job.progress ? "Beginning" : "",
    unit && job.progress ? `${counted(images)}${total} ${unit}` : "",
    going && images_per_second ? `${counted(images_per_second)} a second` : "",
    going && eta_seconds ? `about ${lasting(eta_seconds)} to go` : "",
  ];
  return said.filter(Boolean).join(" · ");
}

/** Whether there is a way to go that can be seen: begun, and not ended. */
export function moving(job: Job): boolean {
  return job.started_at !== null && job.finished_at === null;
}

/** The share of a job that is done, 0 to 1; null while nobody knows. */
export function share(job: Job): number | null {
  if (job.status === "succeeded") return 1;
  return job.progress ? job.progress.percent / 100 : job.status === "running" ? null : 0;
}

const ENDED_BY: Record<string, string> = {
  images: "That was all it was given.",
  time: "Its time was spent.",
};

/** Why a job is where it is, where that is not plain; empty otherwise. */
export function because(job: Job): string {
  if (job.status === "cancelled") return "It was cancelled; its newest checkpoint stays.";
  if (job.status === "paused") return "It holds no device, and goes on where it was when it is resumed.";
  if (job.status === "pausing") return "It saves its state and lets go of its device.";
  if (job.status === "succeeded" && job.type === "train" && job.ended_by)
    return ENDED_BY[job.ended_by] ?? `It was ended by: ${job.ended_by}.`;
  return "";
}

/** Failure code → what may be done. */
const REMEDIES: Record<string, string> = {
  out_of_memory: "Train again with a smaller batch_size or a smaller network.width, or on a larger device.",
  diverged: "Train again with a lower learning_rate, a larger r1 and r2, or another recipe: r3gan is the steadiest.",
  worker_lost: "Its process died three times without a word: look at the worker's log, then retry.",
  dataset_missing: "Its data is no longer there: upload it again, then train anew.",
  checkpoint_corrupt:
    "Look at the disk that the server stores on (ganymede doctor); then train anew, under another name.",
  storage_full: "Make room where the server stores (delete old models or datasets), then retry.",
  internal: "Retry; if it fails again, report it with the message above and the worker's log.",
};

export function remedyFor(code: string): string {
  return REMEDIES[code] ?? "Retry, or look at the worker's log.";
}

/** Something that happened, to be read: `images` is where in the training. */
export interface Happening {
  id: number;
  images: number | null;
  mood: "warn" | "good" | "";
  title: string;
  text: string;
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const spaced = (code: unknown): string => text(code).replaceAll("_", " ");

type Telling = (data: Event["data"]) => Pick<Happening, "mood" | "title" | "text">;

/** Event type → how it is told; those that are not here say nothing that is not seen elsewhere. */
const TELLINGS: Record<string, Telling> = {
  warning: (data) => ({
    mood: "warn",
    title: `Warning: ${spaced(data.code)}`,
    text: `${text(data.message)}. What helps: ${text(data.remedy)}.`,
  }),
  "warning.cleared": (data) => ({ mood: "good", title: `No longer: ${spaced(data.code)}`, text: "" }),
  advice: (data) => ({
    mood: "",
    title: `Good to know: ${spaced(data.code)}`,
    text: `${text(data.message)}. ${text(data.remedy)}.`,
  }),
  "estimates.missing": (data) => ({ mood: "", title: "Some estimates will be missing", text: text(data.reason) }),
  "checkpoint.skipped": (data) => ({
    mood: "warn",
    title: "A damaged checkpoint was passed over",
    text: `${text(data.checkpoint)}: ${text(data.reason)}`,
  }),
  "job.recovered": (data) => ({
    mood: "warn",
    title: `Recovered: ${spaced(data.reason)}`,
    text: `${text(data.message)}. It went on from ${text(data.to_images)} images with ${text(data.field)} ${text(data.from)} → ${text(data.to)}.`,
  }),
  "job.requeued": (data) => ({ mood: "warn", title: "Back to the queue", text: spaced(data.reason) }),
  "job.resumed": (data) => ({ mood: "", title: "Went on from its newest state", text: text(data.checkpoint) }),
  "job.began_from": (data) => ({ mood: "", title: "Began from a checkpoint", text: text(data.checkpoint) }),
};

/** What happened to a job beyond what its curves show. Events that name no number of images happened at the last. */
export function happenings(events: readonly Event[]): Happening[] {
  const told: Happening[] = [];
  let reached: number | null = null;
  for (const { id, type, data } of events) {
    const images = data.images ?? data.to_images;
    if (typeof images === "number") reached = images;
    const telling = TELLINGS[type];
    if (telling) told.push({ id, images: typeof images === "number" ? images : reached, ...telling(data) });
  }
  return told;
}
