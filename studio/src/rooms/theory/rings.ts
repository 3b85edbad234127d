// Recipes that learn a ring of Gaussians: a set of trainings that is started at once and found again by its metadata.
import { ask, type Dataset, every, type Job, post } from "../../api/client";
import { TERMINAL } from "../../api/live";
import { ring } from "./clouds";
import { dataset, discard } from "./worlds";

export const RING = "studio-theory-ring";
const COUNT = 2000;
const STUDIO = "theory-ring";
const MOST_JOBS = 1000;
/** Of a listing that is looked through for earlier sets. */
const PREVIEWS = 12;

/** In the order in which they were published, with what each of them is about. */
export const RECIPES: Record<string, string> = {
  minimax: "the game as it stands; its generator’s gradient fades where D is sure",
  dcgan: "the generator’s loss turned round, so that its gradient lives",
  lsgan: "squared distances of logits to their targets",
  wgan: "a critic with clipped weights",
  "wgan-gp": "a critic with a gradient penalty",
  sngan: "a hinge loss and spectral norm",
  r3gan: "each real against a generated sample, both gradients penalised",
};

/** The same for all: what each training may use up. */
export interface Budget {
  kind: "seconds" | "points";
  amount: number;
}

/** One set, its trainings in the order in which they were started. */
export interface RingSet {
  run: string;
  jobs: readonly Job[];
}

/** The trainings' data, and a training of it a recipe. Throws Refused, Away, AbortError, Error. */
export async function start(recipes: readonly string[], budget: Budget, signal: AbortSignal): Promise<RingSet> {
  const made: Dataset = await dataset(RING, () => ring(COUNT, 0), signal);
  const run = Date.now().toString(36);
  const jobs: Job[] = [];
  for (const recipe of recipes) jobs.push(await post<Job>("/v1/jobs", training(made.name, run, recipe, budget)));
  return { run, jobs };
}

function training(data: string, run: string, recipe: string, budget: Budget): Record<string, unknown> {
  const { kind, amount } = budget;
  return {
    type: "train",
    dataset: data,
    model: `${STUDIO}-${run}-${recipe}`,
    recipe,
    ...(kind === "seconds"
      ? { max_seconds: amount }
      : { images: amount, preview_every: Math.max(1, Math.floor(amount / PREVIEWS)) }),
    keep_checkpoints: 1,
    keep_best: 0,
    metadata: { studio: STUDIO, run, recipe },
  };
}

/** All sets that were ever started and are still there, the newest first. */
export async function sets(): Promise<RingSet[]> {
  const jobs = await every<Job>("/v1/jobs", { type: "train" }, MOST_JOBS);
  const runs = new Map<string, Job[]>();
  for (const job of jobs.filter(({ metadata }) => metadata.studio === STUDIO)) {
    const run = job.metadata.run ?? "";
    runs.set(run, [job, ...(runs.get(run) ?? [])]);
  }
  return [...runs].map(([run, found]) => ({ run, jobs: found }));
}

/** Cancel what has not ended. */
export async function cancel(jobs: readonly Job[]): Promise<void> {
  const going = jobs.filter(({ status }) => !TERMINAL.has(status));
  await Promise.all(going.reverse().map(({ id }) => ask(`/v1/jobs/${id}/cancel`, { method: "POST" })));
}

/** Throws away a set that has ended: its jobs and their models. */
export async function forget(jobs: readonly Job[]): Promise<void> {
  const models = jobs.map(({ model }) => `/v1/models/${model}`);
  for (const path of [...jobs.map(({ id }) => `/v1/jobs/${id}`), ...models]) await discard(path);
}
