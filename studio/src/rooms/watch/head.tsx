import { useState } from "preact/hooks";
import { type Job, post } from "../../api/client";
import { type LiveJob, TERMINAL } from "../../api/live";
import { may } from "../../api/session";
import { go, to } from "../../router";
import { useDo } from "../../ui/load";
import { Dialog, Progress, Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { lasting, moment } from "../../ui/words";
import { Chip } from "./wall";
import { because, howFar, KINDS, moving, named, recipeOf, remedyFor, share } from "./words";

/** How a job stands, and what can be done about it now. */
export function Head({ live, color }: { live: LiveJob; color: string | null }) {
  const job = live.job.value;
  if (live.refused.value) return <ProblemNote error={live.refused.value} />;
  if (!job) return <p class="quiet">Looking…</p>;
  const Title = color ? "h2" : "h1";
  return (
    <section class="card stack head" aria-label={named(job)}>
      <div class="row apart">
        <div class="row">
          {color && <Chip color={color} />}
          <Title>{named(job)}</Title>
          <span role="status">
            <Status status={job.status} />
          </span>
        </div>
        <Steering live={live} job={job} brief={color !== null} />
      </div>
      {moving(job) && <Progress label={`Progress of ${named(job)}`} share={share(job)} />}
      <p class="number far">{[howFar(job), because(job)].filter(Boolean).join(". ")}</p>
      <Facts job={job} brief={color !== null} />
      {job.error && (
        <div class="problem" role="alert">
          <strong>{job.error.code.replaceAll("_", " ")}</strong>
          <p>{job.error.message}</p>
          <p>{remedyFor(job.error.code)}</p>
        </div>
      )}
    </section>
  );
}

function Facts({ job, brief }: { job: Job; brief: boolean }) {
  const took = job.started_at && job.finished_at && (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000;
  const facts: [string, string | null | undefined][] = [
    ["kind", brief ? null : KINDS[job.type]],
    ["recipe", recipeOf(job)],
    ["data", job.type === "train" ? job.dataset : null],
    ["seed", job.seed === null || brief ? null : `${job.seed}`],
    ["device", job.device],
    ["queued", brief ? null : moment(job.created_at)],
    ["took", took ? lasting(took) : null],
  ];
  return (
    <dl class="facts">
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

type Step = "pause" | "resume" | "cancel" | "retry";

/** What can be asked of a job, by its status. */
const STEPS: Partial<Record<Job["status"], readonly Step[]>> = {
  queued: ["pause", "cancel"],
  running: ["pause", "cancel"],
  pausing: ["resume", "cancel"],
  paused: ["resume", "cancel"],
  failed: ["retry"],
  cancelled: ["retry"],
};
const WORDS: Record<Step, string> = { pause: "Pause", resume: "Resume", cancel: "Cancel…", retry: "Retry" };

function Steering({ live, job, brief }: { live: LiveJob; job: Job; brief: boolean }) {
  const [asking, setAsking] = useState(false);
  const step = useDo(async (word: Step) => {
    const now = await post<Job>(`/v1/jobs/${job.id}/${word}`);
    if (word === "retry") go("watch", now.id);
    else if (!TERMINAL.has(live.job.value?.status ?? "")) live.job.value = now;
  });
  const steps = may("train") ? (STEPS[job.status] ?? []) : [];
  return (
    <div class="row">
      {steps.map((word) => (
        <button
          key={word}
          type="button"
          class={word === "cancel" ? "danger" : ""}
          disabled={step.busy}
          onClick={() => (word === "cancel" ? setAsking(true) : step.run(word))}
        >
          {WORDS[word]}
        </button>
      ))}
      <Onward live={live} job={job} brief={brief} />
      <ProblemNote error={step.error} />
      {asking && (
        <Dialog title={`Cancel ${named(job)}?`} close={() => setAsking(false)}>
          <p>
            It ends for good. {job.type === "train" ? "Its newest checkpoint stays, and can be trained on from." : ""}
          </p>
          <div class="row">
            <button
              type="button"
              class="danger"
              onClick={() => {
                setAsking(false);
                step.run("cancel");
              }}
            >
              Cancel the job
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              Let it go on
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** Where to go with what was trained, from the first checkpoint on. */
function Onward({ live, job, brief }: { live: LiveJob; job: Job; brief: boolean }) {
  const saved = live.events.value.some((event) => event.type === "checkpoint.published");
  if (job.type !== "train" || !job.model || !saved) return null;
  return (
    <>
      {TERMINAL.has(job.status) && may("train") && !brief && (
        <a class="button" href={to("train", "", { resume_from: job.model, dataset: job.dataset })}>
          Train on from here
        </a>
      )}
      <a class={brief ? "button" : "button primary"} href={to("explore", job.model)}>
        Explore this model
      </a>
    </>
  );
}
