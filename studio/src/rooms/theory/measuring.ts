// The distance of two clouds, measured by evaluate jobs one after the other: what is wanted, what runs, what was found.
import { type Signal, signal } from "@preact/signals";
import { ask, every, type Job, post } from "../../api/client";
import { ended } from "../../api/live";
import { disc, line, type Points } from "./clouds";
import { dataset, discard } from "./worlds";

export const FARTHEST = 3;
export const STEP = 0.125;
/** Between distances that are measured, so that a distance is measured once and a reader's drag finds it again. */
export const SWEEP = [3, 2.5, 2, 1.5, 1, 0.75, 0.5, 0.375, 0.25, 0.125, 0];

const COUNT = 1000;
const TRAINING_STEPS = 200;
/** Of either network: with these the estimates lie within a few hundredths of those of docs/theory.md, in half the time. */
const METRICS = ["js_estimate", "wasserstein_estimate", "wasserstein_exact"];
const MOST_JOBS = 1000;
/** Of a listing that is looked through for what was measured before. */

export interface Shape {
  name: string;
  about: string;
  points: (x: number, seed: number) => Points;
}

export const SHAPES: Record<string, Shape> = {
  discs: {
    name: "Two discs",
    about: "Radius ¼: they touch at a distance of ½, and lie on one another at 0.",
    points: (x, seed) => disc(COUNT, x, seed),
  },
  lines: {
    name: "Two parallel lines",
    about: "Without thickness: they do not meet at any distance but 0, as images do not fill their space.",
    points: (x, seed) => line(COUNT, x, seed),
  },
};

export interface Measured {
  distance: number;
  job: string;
  js: number | null;
  estimate: number | null;
  exact: number | null;
  /** How long the job ran. */
  seconds: number;
}

/** What is being measured: `job` once there is one. */
export interface Current {
  distance: number;
  job: string | null;
}

export function snapped(distance: number): number {
  return Math.round(Math.min(FARTHEST, Math.max(0, distance)) / STEP) * STEP;
}

/** One shape's measurements. What is wanted is measured in order; `close` leaves a job that runs to the service. */
export class Measuring {
  readonly found: Signal<readonly Measured[]> = signal([]);
  readonly current: Signal<Current | null> = signal(null);
  readonly waiting: Signal<readonly number[]> = signal([]);
  readonly sweeping: Signal<boolean> = signal(false);
  readonly error: Signal<Error | null> = signal(null);
  private stopped = false;
  private readonly gone = new AbortController();

  constructor(readonly shape: string) {}

  close(): void {
    this.gone.abort();
  }

  /** Takes in what this studio measured before, from the list of jobs, and waits for what still runs. */
  async recall(): Promise<void> {
    const jobs = await every<Job>("/v1/jobs", { type: "evaluate" }, MOST_JOBS).catch(this.failed);
    for (const job of (jobs ?? []).filter((one) => this.ours(one)).reverse()) {
      if (job.status === "succeeded") this.learn(job);
      else if (job.finished_at === null && !this.current.value) void this.rejoin(job);
    }
  }

  private ours({ metadata }: Job): boolean {
    return metadata.studio === "theory-clouds" && metadata.shape === this.shape;
  }

  private async rejoin(job: Job): Promise<void> {
    this.current.value = { distance: Number(job.metadata.distance), job: job.id };
    await this.finish(job.id).catch(this.failed);
    this.current.value = null;
    void this.work();
  }

  /** Measure this one next, in place of another that was wanted by itself; not if it is known. */
  want(distance: number): void {
    if (this.knows(distance) || this.current.value?.distance === distance) return;
    const rest = this.sweeping.value ? this.waiting.value : [];
    this.waiting.value = [distance, ...rest.filter((one) => one !== distance)];
    void this.work();
  }

  /** Measure all of the sweep that is not known yet. */
  sweep(): void {
    this.waiting.value = SWEEP.filter((one) => !this.knows(one) && this.current.value?.distance !== one);
    this.sweeping.value = true;
    void this.work();
  }

  /** Nothing more is measured, and what runs is cancelled. */
  async stop(): Promise<void> {
    this.waiting.value = [];
    this.stopped = true;
    const job = this.current.value?.job;
    if (job) await ask(`/v1/jobs/${job}/cancel`, { method: "POST" }).catch(this.failed);
  }

  knows(distance: number): boolean {
    return this.found.value.some((one) => one.distance === distance);
  }

  /** Throws away all of this shape's measurements: their jobs, and the data of which they are. */
  async forget(): Promise<void> {
    const jobs = await every<Job>("/v1/jobs", { type: "evaluate" }, MOST_JOBS);
    for (const job of jobs.filter((one) => this.ours(one) && one.finished_at !== null))
      await discard(`/v1/jobs/${job.id}`);
    this.found.value = [];
  }

  private async work(): Promise<void> {
    while (this.waiting.value.length && !this.current.value && !this.gone.signal.aborted) {
      const [distance = 0, ...rest] = this.waiting.value;
      this.waiting.value = rest;
      this.current.value = { distance, job: null };
      this.error.value = null;
      this.stopped = false;
      await this.measure(distance).catch(this.failed);
      this.current.value = null;
    }
    if (!this.current.value) this.sweeping.value = false;
  }

  private async measure(distance: number): Promise<void> {
    const { signal } = this.gone;
    const cloud = SHAPES[this.shape]?.points;
    if (!cloud) return;
    const moved = `studio-theory-${this.shape}-at-${distance.toFixed(3).replace(".", "_")}`;
    await dataset(this.still, () => cloud(0, 0), signal);
    await dataset(moved, () => cloud(distance, 1), signal);
    if (this.stopped) return;
    const job = await post<Job>("/v1/jobs", {
      type: "evaluate",
      dataset: this.still,
      against: moved,
      metrics: METRICS,
      steps: TRAINING_STEPS,
      metadata: { studio: "theory-clouds", shape: this.shape, distance: `${distance}` },
    });
    this.current.value = { distance, job: job.id };
    await this.finish(job.id);
    await discard(`/v1/datasets/${moved}`);
  }

  private get still(): string {
    return `studio-theory-${this.shape}`;
  }

  private async finish(id: string): Promise<void> {
    const job = await ended(id, this.gone.signal);
    if (job.status === "failed") throw new Error(job.error?.message ?? "The measurement failed.");
    if (job.status === "succeeded") this.learn(job);
  }

  private learn(job: Job): void {
    const { js_estimate, wasserstein_estimate, wasserstein_exact } = metricsOf(job);
    const distance = Number(job.metadata.distance);
    const seconds = (Date.parse(job.finished_at ?? "") - Date.parse(job.started_at ?? "")) / 1000;
    const found = {
      distance,
      job: job.id,
      js: js_estimate ?? null,
      estimate: wasserstein_estimate ?? null,
      exact: wasserstein_exact ?? null,
      seconds,
    };
    const others = this.found.value.filter((one) => one.distance !== distance);
    this.found.value = [...others, found].sort((a, b) => a.distance - b.distance);
  }

  /** A failure ends what was planned: the same would befall the rest. */
  private readonly failed = (error: Error): void => {
    if (error.name === "AbortError") return;
    this.error.value = error;
    this.waiting.value = [];
  };
}

function metricsOf(job: Job): Record<string, number | null | undefined> {
  return (job.result?.metrics ?? {}) as Record<string, number | null>;
}
