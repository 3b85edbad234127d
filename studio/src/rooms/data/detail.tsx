import { useEffect } from "preact/hooks";
import { type Dataset, get, type Job, post } from "../../api/client";
import { TERMINAL, useLive } from "../../api/live";
import { may } from "../../api/session";
import { remember, route, to } from "../../router";
import { useDo, useLoad } from "../../ui/load";
import { Progress, Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { moment, sized } from "../../ui/words";
import { DeleteButton } from "./delete";
import { ClassBars, ReportCard } from "./report";
import { Wall } from "./wall";
import { summaryOf } from "./words";

/** `#/data/NAME`: one dataset, from its preparation on. */
export function Detail({ name }: { name: string }) {
  const found = useLoad((signal) => get<Dataset>(`/v1/datasets/${encodeURIComponent(name)}`, {}, signal), [name]);
  return (
    <div class="stack">
      <a class="quiet" href={to("data")}>
        ← All data
      </a>
      <ProblemNote error={found.error} retry={found.reload} />
      {found.data && <Stage dataset={found.data} reload={found.reload} />}
    </div>
  );
}

type StageProps = { dataset: Dataset; reload: () => void };

const STAGES = { preparing: Preparing, ready: Ready, failed: Failed };

function Stage({ dataset, reload }: StageProps) {
  const Shown = STAGES[dataset.status];
  return (
    <>
      <div class="row apart">
        <h1>
          {dataset.name} <Status status={dataset.status} />
        </h1>
        <div class="row">
          {dataset.status === "ready" && may("train") && (
            <a class="button primary" href={to("train", "", { dataset: dataset.name })}>
              Train on this
            </a>
          )}
          {dataset.status !== "preparing" && may("admin") && <DeleteButton name={dataset.name} />}
        </div>
      </div>
      <Shown dataset={dataset} reload={reload} />
    </>
  );
}

// ---- being prepared ----

function Preparing({ dataset, reload }: StageProps) {
  const [live] = useLive(dataset.job ? [dataset.job] : []);
  const job = live?.job.value ?? null;
  const over = TERMINAL.has(job?.status ?? "");
  const cancelled = useDo(() => post(`/v1/jobs/${dataset.job}/cancel`));
  useEffect(() => {
    if (over) reload();
  }, [over]);
  return (
    <section class="card stack" aria-label="Preparation">
      <div class="row apart">
        <h2 aria-live="polite">{wordsOn(job)}</h2>
        {may("train") && dataset.job && (
          <button type="button" disabled={cancelled.busy || over} onClick={() => cancelled.run()}>
            Cancel
          </button>
        )}
      </div>
      <Progress label="Preparation" share={shareOf(job)} />
      <p class="quiet">
        The server reads each file once, brings all to one size and packs them. You may leave: it goes on without you.
      </p>
      <ProblemNote error={cancelled.error ?? live?.refused.value ?? null} />
    </section>
  );
}

/** How far it is, 0 to 1; null while nobody knows. */
function shareOf(job: Job | null): number | null {
  return job?.status === "running" && job.progress ? job.progress.percent / 100 : null;
}

function wordsOn(job: Job | null): string {
  if (!job || job.status === "running") return "Reading the files …";
  if (job.status !== "queued") return "Finishing …";
  return (job.queue_position ?? 1) > 1
    ? `Waiting: number ${job.queue_position} in the queue`
    : "Waiting for a worker …";
}

// ---- gone wrong ----

const ADVICE: Record<string, string> = {
  dataset_unusable: "Put right what the message says, delete this entry so that its name is free, and upload again.",
  dataset_missing: "What was uploaded is gone from the server: delete this entry and upload again.",
  storage_full: "The server's disk is full. Ask who runs it to make room, then try again.",
  cancelled: "Try again if that was not meant, or delete this entry so that its name is free.",
};
const OTHERWISE = "Try again. If it fails the same way, tell who runs the server, with the job's id below.";
/** What trying again cannot help. */
const SETTLED = new Set(["dataset_unusable", "dataset_missing"]);

function Failed({ dataset: { error, job }, reload }: StageProps) {
  const again = useDo(async () => {
    await post(`/v1/jobs/${job}/retry`);
    reload();
  });
  const code = error?.code ?? "internal";
  return (
    <section class="problem stack data-failed" aria-label="What went wrong">
      <h2>It could not be prepared</h2>
      <p>{error?.message}</p>
      <p>{ADVICE[code] ?? OTHERWISE}</p>
      {!may("admin") && <p class="quiet">To delete it, ask for a key that may: yours may not.</p>}
      <ProblemNote error={again.error} />
      <div class="row">
        {!SETTLED.has(code) && job && may("train") && (
          <button type="button" disabled={again.busy} onClick={() => again.run()}>
            Try again
          </button>
        )}
        <a class="button" href={to("data")}>
          Upload other data
        </a>
      </div>
      <p class="quiet">
        <code>{code}</code> {job && <code>{job}</code>}
      </p>
    </section>
  );
}

// ---- ready ----

function Ready({ dataset }: StageProps) {
  const label = route.value.query.get("label");
  const choose = (label: string | null): void => remember({ label });
  return (
    <>
      <p>
        {summaryOf(dataset)}. <span class="quiet">{factsOf(dataset)}</span>
      </p>
      <div class="data-ready">
        <div class="stack">
          <ReportCard dataset={dataset} />
          {dataset.classes.length > 0 && <ClassBars dataset={dataset} label={label} choose={choose} />}
        </div>
        {dataset.kind === "points" ? (
          <Scatter dataset={dataset} />
        ) : (
          <Wall key={label ?? ""} dataset={dataset} label={label} all={() => choose(null)} />
        )}
      </div>
    </>
  );
}

function factsOf({ bytes, created_at }: Dataset): string {
  return `${sized(bytes ?? 0)} prepared, ${moment(created_at)}.`;
}

function Scatter({ dataset }: { dataset: Dataset }) {
  const coloured = dataset.classes.length ? ", coloured by class" : "";
  return (
    <figure class="card data-points">
      <figcaption class="label">The points{coloured}</figcaption>
      <img src={`/v1/datasets/${dataset.id}/preview`} alt={`A scatter plot of ${summaryOf(dataset)}`} />
    </figure>
  );
}
