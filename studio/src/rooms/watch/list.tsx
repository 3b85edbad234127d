import { useState } from "preact/hooks";
import { every, type Job } from "../../api/client";
import { BEGINNINGS_AND_ENDS, type LiveJob, TERMINAL, useLive, useNews } from "../../api/live";
import { may } from "../../api/session";
import { to } from "../../router";
import { type Loaded, useLoad } from "../../ui/load";
import { Empty, Progress, Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { moment } from "../../ui/words";
import { MOST_TOGETHER } from "./series";
import { howFar, KINDS, moving, named, recipeOf, share } from "./words";

const PAGE = 100;

function NoList({ found }: { found: Loaded<Job[]> }) {
  return (
    <div class="stack">
      <h1>Watch</h1>
      {found.error ? <ProblemNote error={found.error} retry={found.reload} /> : <p class="quiet">Looking…</p>}
    </div>
  );
}

/** All jobs, whoever began them, and as they stand this moment. */
export function Jobs() {
  const [most, setMost] = useState(PAGE);
  const [picked, setPicked] = useState<readonly string[]>([]);
  const found = useLoad(() => every<Job>("/v1/jobs", {}, most), [most]);
  const jobs = found.data ?? [];
  const lives = useLive(jobs.filter((job) => !TERMINAL.has(job.status)).map((job) => job.id));
  useNews(BEGINNINGS_AND_ENDS, found.reload);
  if (!found.data || found.error) return <NoList found={found} />;
  if (!jobs.length) return <Nothing />;
  const newest = newestOf(jobs, lives);
  const trainings = newest.filter(({ type }) => type === "train");
  const others = newest.filter(({ type }) => type !== "train");
  const pick = (id: string, on: boolean): void =>
    setPicked(on ? [...picked, id] : picked.filter((other) => other !== id));
  return (
    <div class="stack">
      <div class="row apart">
        <h1>Watch</h1>
        <Together picked={picked} />
      </div>
      <section class="stack" aria-label="Trainings">
        <h2>Trainings</h2>
        {trainings.length ? (
          <ul class="jobs">
            {trainings.map((job) => (
              <Row key={job.id} job={job} picked={picked} pick={pick} />
            ))}
          </ul>
        ) : (
          <p class="quiet">No training yet. {may("train") && <a href={to("train")}>Begin one</a>}</p>
        )}
      </section>
      {others.length > 0 && (
        <section class="stack" aria-label="Other jobs">
          <h2>Preparations, evaluations, projections</h2>
          <ul class="jobs">
            {others.map((job) => (
              <Row key={job.id} job={job} />
            ))}
          </ul>
        </section>
      )}
      {jobs.length >= most && (
        <div>
          <button type="button" disabled={found.loading} onClick={() => setMost(most + PAGE)}>
            Show older jobs
          </button>
        </div>
      )}
    </div>
  );
}

function newestOf(jobs: readonly Job[], lives: readonly LiveJob[]): Job[] {
  const told = new Map(lives.map((live) => [live.id, live.job.value]));
  return jobs.map((job) => told.get(job.id) ?? job);
}

function Together({ picked }: { picked: readonly string[] }) {
  const [few, many] = [picked.length < 2, picked.length > MOST_TOGETHER];
  if (few || many)
    return (
      <span class="quiet" role="status">
        {many ? `At most ${MOST_TOGETHER} at once.` : "Tick trainings to compare them."}
      </span>
    );
  return (
    <a class="button primary" href={to("watch", picked.join(","))}>
      Compare {picked.length} trainings
    </a>
  );
}

type RowProps = { job: Job; picked?: readonly string[]; pick?: (id: string, on: boolean) => void };

function Row({ job, picked, pick }: RowProps) {
  const what = [job.type === "train" ? "" : KINDS[job.type], recipeOf(job), job.type === "train" ? job.dataset : ""];
  return (
    <li class="card job">
      {pick && (
        <input
          type="checkbox"
          aria-label={`Compare ${named(job)} of ${moment(job.created_at)}`}
          checked={picked?.includes(job.id) ?? false}
          onChange={(event) => pick(job.id, event.currentTarget.checked)}
        />
      )}
      <div class="what">
        <a href={to("watch", job.id)}>{named(job)}</a>
        <div class="quiet">{what.filter(Boolean).join(" · ")}</div>
      </div>
      <div class="how">
        {moving(job) && <Progress label={`Progress of ${named(job)}`} share={share(job)} />}
        <div class="quiet number">{howFar(job)}</div>
      </div>
      <div class="state">
        <Status status={job.status} />
        <div class="quiet number">{moment(job.created_at)}</div>
      </div>
    </li>
  );
}

function Nothing() {
  return (
    <div class="stack">
      <h1>Watch</h1>
      <Empty title="Nothing has been asked of this server yet">
        <p>Here you see trainings as they happen: pictures as they get better, and the curves beside them.</p>
        <a class="button primary" href={to("data")}>
          Bring data
        </a>
      </Empty>
    </div>
  );
}
