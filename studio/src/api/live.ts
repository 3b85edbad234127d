// Jobs as they happen: what the server's event stream tells, as signals. Nothing here asks again and again.
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { address, ask, connection, type Event, get, type Job } from "./client";

/** A row of a job's series: images seen, when it was written, and what was measured. */
export type Row = { images: number; created_at: string } & Record<string, number | string | null>;

export const TERMINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled"]);

/** One watched job. Signals hold the newest that is known; `refused` says why nothing is. */
export class LiveJob {
  readonly job: Signal<Job | null> = signal(null);
  readonly rows: Signal<readonly Row[]> = signal([]);
  readonly events: Signal<readonly Event[]> = signal([]);
  readonly refused: Signal<Error | null> = signal(null);
  /** At how many images there are previews, in order. */
  readonly previews: ReadonlySignal<readonly number[]> = computed(() => previewsOf(this.events.value));

  constructor(readonly id: string) {}

  tell(type: string, data: unknown, number: number | null): void {
    if (type === "job") this.job.value = data as Job;
    else if (type === "metrics") this.rows.value = merged(this.rows.value, (data as { data: Row[] }).data);
    else if (number !== null) this.events.value = [...this.events.value, data as Event];
  }
}

function previewsOf(events: readonly Event[]): number[] {
  const saved = events.filter((event) => event.type === "preview.saved").map((event) => Number(event.data.images));
  return [...new Set(saved)].sort((a, b) => a - b);
}

/** Rows by images seen; a later one replaces an earlier one at as many images. */
export function merged(known: readonly Row[], more: readonly Row[]): readonly Row[] {
  const last = known.at(-1)?.images ?? -1;
  if (more.every((row, i) => row.images > (more[i - 1]?.images ?? last))) return [...known, ...more];
  const by = new Map([...known, ...more].map((row) => [row.images, row]));
  return [...by.values()].sort((a, b) => a.images - b.images);
}

/** Follow jobs until `close`; they share one connection, of which a browser has few. */
export function follow(ids: readonly string[]): { jobs: readonly LiveJob[]; close: () => void } {
  const jobs = ids.map((id) => new LiveJob(id));
  const streams = jobs.map(stream);
  return { jobs, close: () => streams.forEach(close) };
}

function close(source: EventSource): void {
  source.close();
}

function stream(live: LiveJob): EventSource {
  const source = new EventSource(address(`/v1/jobs/${live.id}/events`, { metrics_after: -1 }));
  const tell = (message: MessageEvent<string>): void => {
    const number = message.type === "job" || message.type === "metrics" ? null : Number(message.lastEventId);
    live.tell(message.type, JSON.parse(message.data), number);
  };
  for (const type of TYPES) source.addEventListener(type, tell);
  source.onopen = () => {
    if (connection.value === "away") connection.value = "ok";
  };
  source.onerror = () => void lost(source, live);
  return source;
}

/** Why a stream ended: a job that has ended is no loss, a refusal is told, and from an absence browsers come back. */
async function lost(source: EventSource, live: LiveJob): Promise<void> {
  if (source.readyState !== EventSource.CLOSED) {
    if (!TERMINAL.has(live.job.value?.status ?? "")) connection.value = "away";
    return;
  }
  if (live.job.value && TERMINAL.has(live.job.value.status)) return;
  await get<Job>(`/v1/jobs/${live.id}`).catch((error) => {
    live.refused.value = error;
  });
}

const STEPS = "queued started running pausing paused resumed cancelling cancelled succeeded failed requeued recovered";
/** All that a stream tells by name; a message of a type that nobody listens to is lost. */
const TYPES = [
  "job",
  "metrics",
  ...[...STEPS.split(" "), "execution", "began_from"].map((step) => `job.${step}`),
  ...["checkpoint.published", "checkpoint.skipped", "preview.saved"],
  ...["warning", "warning.cleared", "estimates.missing"],
];

/** A component's live jobs, followed while it stands. */
export function useLive(ids: readonly string[]): readonly LiveJob[] {
  const key = ids.join(" ");
  const following = useMemo(() => follow(ids), [key]);
  useEffect(() => following.close, [following]);
  return following.jobs;
}

/** The job once it has ended. Throws Refused, Away, AbortError. */
export async function ended(id: string, signal?: AbortSignal): Promise<Job> {
  for (;;) {
    const wait = { headers: { Prefer: "wait=60" }, ...(signal && { signal }) };
    const job = (await (await ask(`/v1/jobs/${id}`, wait)).json()) as Job;
    if (TERMINAL.has(job.status)) return job;
  }
}
