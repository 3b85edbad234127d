// Jobs as they happen: what the server's event stream tells, as signals. Nothing here asks again and again.
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { address, ask, connection, type Event, get, type Job, Refused } from "./client";
import { EVENT_TYPES } from "./event-types";

/** A row of a job's series: images seen, and what was measured; null where nothing could be estimated. */
export type Row = { images: number } & Record<string, number | null>;

export const TERMINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled"]);
const ENDS: ReadonlySet<string> = new Set([...TERMINAL].map((status) => `job.${status}`));
/** Types of events after which other jobs, data sets or models may be there. */
export const BEGINNINGS_AND_ENDS: ReadonlySet<string> = new Set([...ENDS, "job.queued", "checkpoint.published"]);

/** One watched job. Signals hold the newest that is known; `refused` says why nothing is. */
export class LiveJob {
  readonly job: Signal<Job | null> = signal(null);
  readonly rows: Signal<readonly Row[]> = signal([]);
  readonly events: Signal<readonly Event[]> = signal([]);
  readonly refused: Signal<Error | null> = signal(null);
  /** At how many images there are previews, in order. */
  readonly previews: ReadonlySignal<readonly number[]> = computed(() => previewsOf(this.events.value));
  /** Whether its last event was told. */
  ended = false;
  private more: { job: Job | null; rows: Row[]; events: Event[] } = { job: null, rows: [], events: [] };
  private meanwhile: Row[] | null = null;
  private last = 0;

  constructor(readonly id: string) {}

  /** Take in a message; it shows once `show` is called. */
  tell(type: string, data: unknown): void {
    if (type === "job") this.more.job = data as Job;
    else if (type === "metrics") this.measured((data as { data: Row[] }).data);
    else this.happened(data as Event);
  }

  private measured(rows: readonly Row[]): void {
    this.more.rows.push(...rows);
    this.meanwhile?.push(...rows);
  }

  private happened(event: Event): void {
    if (event.id <= this.last) return;
    this.last = event.id;
    this.ended = ENDS.has(event.type);
    this.more.events.push(event);
    if (event.type === "job.recovered") void this.reread();
  }

  /** The series as it is now: of the path that a training gave up no message takes the rows back. */
  private async reread(): Promise<void> {
    const meanwhile: Row[] = [];
    this.meanwhile = meanwhile;
    const now = await get<{ data: Row[] }>(`/v1/jobs/${this.id}/metrics`).catch(() => null);
    if (!now || this.meanwhile !== meanwhile) return;
    this.more.rows = [];
    this.rows.value = merged(now.data, meanwhile);
  }

  /** What was told since the last time, into the signals: each list is copied once, however much came. */
  show(): void {
    const { job, rows, events } = this.more;
    this.more = { job: null, rows: [], events: [] };
    if (job) this.job.value = job;
    if (rows.length) this.rows.value = merged(this.rows.value, rows);
    if (events.length) this.events.value = [...this.events.value, ...events];
  }
}

/** A training that recovered gave up what it had beyond its `to_images`. */
function previewsOf(events: readonly Event[]): number[] {
  let at: number[] = [];
  for (const { type, data } of events) {
    if (type === "preview.saved") at.push(Number(data.images));
    if (type === "job.recovered") at = at.filter((images) => images <= Number(data.to_images));
  }
  return [...new Set(at)].sort((a, b) => a - b);
}

/** Rows by images seen; a later one replaces an earlier one at as many images. */
export function merged(known: readonly Row[], more: readonly Row[]): readonly Row[] {
  const last = known.at(-1)?.images ?? -1;
  if (more.every((row, i) => row.images > (more[i - 1]?.images ?? last))) return [...known, ...more];
  const by = new Map([...known, ...more].map((row) => [row.images, row]));
  return [...by.values()].sort((a, b) => a.images - b.images);
}

const SHOW_EVERY = 50;
/** Milliseconds: what comes meanwhile is drawn at once. */
const BETWEEN_NEWS = 1000;
/** Milliseconds between two looks at lists that grow. */
const AGAIN_AFTER = 2000;
/** Milliseconds after which a stream that the server refused for a while is asked for again. */
const FOR_GOOD: ReadonlySet<number> = new Set([401, 403, 404, 422]);
/** Statuses that the same request would get again. */
const MOST_JOBS = 50;
/** Jobs that one stream takes. */

/** Follow jobs until `close`; up to fifty share one connection, of which a browser has few. */
export function follow(ids: readonly string[]): { jobs: readonly LiveJob[]; close: () => void } {
  const jobs = ids.map((id) => new LiveJob(id));
  const streams: Stream[] = [];
  for (let start = 0; start < jobs.length; start += MOST_JOBS)
    streams.push(new Stream(jobs.slice(start, start + MOST_JOBS)));
  return {
    jobs,
    close: () => {
      for (const stream of streams) stream.close();
    },
  };
}

/** An event stream, taken up again where it broke off. While nobody sees the page it rests: a browser has six
 * connections to a server, for all its tabs. */
class Wire {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failed = 0;
  private over = false;

  /** `url` is null where there is nothing to hear any more; `refused` is called before a refused stream is asked for
   * again. */
  constructor(
    private readonly url: () => string | null,
    private readonly hear: (message: MessageEvent<string>) => unknown,
    private readonly refused: () => Promise<void>,
  ) {
    document.addEventListener("visibilitychange", this.turned);
    this.open();
  }

  close(): void {
    this.over = true;
    document.removeEventListener("visibilitychange", this.turned);
    this.rest();
  }

  private rest(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
  }

  private turned = (): void => {
    if (document.visibilityState === "hidden") this.rest();
    else if (!this.source) this.open();
  };

  private open(): void {
    const url = this.url();
    if (this.over || url === null || document.visibilityState === "hidden") return;
    const source = new EventSource(url);
    this.source = source;
    for (const type of EVENT_TYPES) source.addEventListener(type, this.told);
    source.onopen = () => {
      this.failed = 0;
      if (connection.value === "away") connection.value = "ok";
    };
    source.onerror = () => this.lost(source);
  }

  private told = (message: MessageEvent<string>): void => {
    this.hear(message);
    if (this.url() === null) this.source?.close();
  };

  /** A browser comes again by itself, unless it was refused; who does not get in at the second try says so. */
  private lost(source: EventSource): void {
    if (this.over || source !== this.source) return;
    this.failed += 1;
    if (source.readyState === EventSource.CLOSED) void this.again();
    else if (this.failed > 1) connection.value = "away";
  }

  private async again(): Promise<void> {
    await this.refused();
    if (this.over || connection.value === "locked") return;
    this.timer = setTimeout(() => this.open(), AGAIN_AFTER);
  }
}

/** Some jobs' events over one connection. */
class Stream {
  private readonly by: ReadonlyMap<string, LiveJob>;
  private readonly wire: Wire;
  private showing = false;
  private last = 0;

  constructor(private readonly jobs: readonly LiveJob[]) {
    this.by = new Map(jobs.map((live) => [live.id, live]));
    this.wire = new Wire(this.url, this.hear, this.refused);
  }

  close(): void {
    this.wire.close();
  }

  private going(): LiveJob[] {
    return this.jobs.filter((live) => !live.ended && !live.refused.value);
  }

  /** The series come whole each time: a training that recovered may have written any row of them anew. */
  private url = (): string | null => {
    const job = this.going().map((live) => live.id);
    return job.length ? address("/v1/events", { job, after: this.last, metrics_after: -1 }) : null;
  };

  private hear = (message: MessageEvent<string>): void => {
    const data = JSON.parse(message.data);
    const live = this.by.get(message.type === "job" ? data.id : data.job);
    live?.tell(message.type, data);
    if (message.lastEventId) this.last = Number(message.lastEventId);
    if (this.showing) return;
    this.showing = true;
    setTimeout(this.show, SHOW_EVERY);
  };

  private show = (): void => {
    this.showing = false;
    batch(() => {
      for (const live of this.jobs) live.show();
    });
  };

  /** Find out which of the jobs it is about, to come again for the others. */
  private refused = async (): Promise<void> => {
    await Promise.all(this.going().map((live) => look(live)));
    this.show();
  };
}

async function look(live: LiveJob): Promise<void> {
  try {
    live.tell("job", await get<Job>(`/v1/jobs/${live.id}`));
  } catch (error) {
    if (error instanceof Refused && FOR_GOOD.has(error.problem.status)) live.refused.value = error;
  }
}

/** A component's live jobs, followed while it stands. */
export function useLive(ids: readonly string[]): readonly LiveJob[] {
  const key = ids.join(" ");
  const following = useMemo(() => follow(ids), [key]);
  useEffect(() => following.close, [following]);
  return following.jobs;
}

/** A call that is made soon, and at most once a second however often it is asked for; and what takes it back. */
function seldom(call: () => void): { soon: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = 0;
  const made = (): void => {
    timer = undefined;
    last = Date.now();
    call();
  };
  return {
    soon: () => {
      timer ??= setTimeout(made, Math.max(SHOW_EVERY, last + BETWEEN_NEWS - Date.now()));
    },
    stop: () => clearTimeout(timer),
  };
}

/** Have `heard` called, at most once a second, after events of these types, of any job; and on return to the page. */
export function useNews(types: ReadonlySet<string>, heard: () => void): void {
  useEffect(() => {
    const { soon, stop } = seldom(heard);
    const back = (): void => {
      if (document.visibilityState === "visible") soon();
    };
    const wire = new Wire(
      () => "/v1/events",
      ({ type }) => types.has(type) && soon(),
      () => get("/v1/jobs", { limit: 1 }).then(soon, () => undefined),
    );
    document.addEventListener("visibilitychange", back);
    return () => {
      wire.close();
      stop();
      document.removeEventListener("visibilitychange", back);
    };
  }, [types, heard]);
}

/** The job once it has ended. Throws Refused, Away, AbortError. */
export async function ended(id: string, signal?: AbortSignal): Promise<Job> {
  for (;;) {
    const wait = { headers: { Prefer: "wait=60" }, ...(signal && { signal }) };
    const job = (await (await ask(`/v1/jobs/${id}`, wait)).json()) as Job;
    if (TERMINAL.has(job.status)) return job;
  }
}
