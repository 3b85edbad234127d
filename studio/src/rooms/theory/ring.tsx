// Seven recipes learn a ring of Gaussians, side by side.
import { useState } from "preact/hooks";
import type { Job } from "../../api/client";
import { type LiveJob, TERMINAL, useLive } from "../../api/live";
import { may } from "../../api/session";
import { remember, route, to } from "../../router";
import { Field, RangeField, SelectField } from "../../ui/field";
import { type Doing, useDo, useLoad } from "../../ui/load";
import { Progress, Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted, lasting, measured, moment } from "../../ui/words";
import { MODES } from "./clouds";
import { sentences, told, total, upTo } from "./learned";
import { type Budget, cancel, forget, RECIPES, RING, type RingSet, sets, start } from "./rings";
import { NeedsScope } from "./section";

const SECONDS_TO_START = 5;
/** Of a training, before it trains: a process that loads its libraries. */
const BUDGETS: Record<Budget["kind"], { label: string; amount: number; most: number; hint: string }> = {
  seconds: { label: "Seconds of each", amount: 10, most: 600, hint: "The same time for all, whatever a step costs." },
  points: {
    label: "Points seen by each",
    amount: 30_000,
    most: 10_000_000,
    hint: "As many real points for all, however long that takes. With several critic steps a generator has fewer turns.",
  },
};

export function Rings() {
  const { data, error, loading, reload } = useLoad(sets, []);
  const [asked, setAsked] = useState<RingSet | null>(null);
  const named = route.value.query.get("run");
  const shown = asked ?? data?.find(({ run }) => run === named) ?? data?.[0];
  const begin = useDo(async (recipes: readonly string[], budget: Budget) => {
    const made = await start(recipes, budget, new AbortController().signal).finally(reload);
    setAsked(made);
    remember({ run: made.run, at: null });
  });
  const choose = (run: string): void => {
    setAsked(null);
    remember({ run, at: null });
  };
  const dropped = (): void => {
    setAsked(null);
    reload();
  };
  return (
    <>
      <p>
        {MODES} equal Gaussians stand on a circle, and each recipe learns to draw from all of them. Nothing else
        differs: the same points, the same networks, the same seed, the same budget. Which of them find all {MODES}, and
        which jump from one to the next?
      </p>
      <ProblemNote error={error} retry={reload} />
      {loading && !data && <Progress label="Looking for earlier trainings" share={null} />}
      {shown && <OneSet key={shown.run} shown={shown} all={data ?? []} choose={choose} reload={dropped} />}
      {data && <Begin begin={begin} again={shown !== undefined} />}
    </>
  );
}

function Begin({ begin, again }: { begin: Doing<[readonly string[], Budget]>; again: boolean }) {
  const [recipes, setRecipes] = useState<readonly string[]>(Object.keys(RECIPES));
  const [kind, setKind] = useState<Budget["kind"]>("seconds");
  const [amount, setAmount] = useState(BUDGETS.seconds.amount);
  if (!may("train")) return <NeedsScope what="Training" />;
  const form = (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        begin.run(recipes, { kind, amount });
      }}
    >
      <Recipes chosen={recipes} choose={setRecipes} />
      <div class="columns">
        <SelectField
          label="Equal for all"
          value={kind}
          options={[
            { value: "seconds", label: "Time" },
            { value: "points", label: "Points seen" },
          ]}
          onChange={(value) => {
            setKind(value as Budget["kind"]);
            setAmount(BUDGETS[value as Budget["kind"]].amount);
          }}
        />
        <Amount kind={kind} amount={amount} set={setAmount} />
      </div>
      <ProblemNote error={begin.error} />
      <div class="row">
        <button type="submit" class="primary" disabled={begin.busy || !recipes.length || !(amount >= 1)}>
          {begin.busy ? "Starting…" : `Start ${recipes.length} ${recipes.length === 1 ? "training" : "trainings"}`}
        </button>
        <span class="quiet">
          They run one after the other, each as soon as the service has a place for it
          {kind === "seconds" && amount >= 1 && (
            <>: about {lasting(recipes.length * (amount + SECONDS_TO_START))} where there is one</>
          )}
          .
        </span>
      </div>
    </form>
  );
  if (!again) return form;
  return (
    <details>
      <summary>Train them again, with another budget</summary>
      {form}
    </details>
  );
}

function Amount({ kind, amount, set }: { kind: Budget["kind"]; amount: number; set: (amount: number) => void }) {
  const { label, most, hint } = BUDGETS[kind];
  return (
    <Field label={label} hint={hint}>
      {(attributes) => (
        <input
          {...attributes}
          type="number"
          min={1}
          max={most}
          required
          value={Number.isNaN(amount) ? "" : amount}
          onInput={(event) => set(event.currentTarget.valueAsNumber)}
        />
      )}
    </Field>
  );
}

function Recipes({ chosen, choose }: { chosen: readonly string[]; choose: (recipes: readonly string[]) => void }) {
  return (
    <fieldset class="theory-recipes">
      <legend class="label">Recipes</legend>
      {Object.entries(RECIPES).map(([name, about]) => (
        <label key={name}>
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            onChange={(event) => {
              const wanted = event.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name);
              choose(Object.keys(RECIPES).filter((one) => wanted.includes(one)));
            }}
          />
          <span>
            {name} <span class="quiet">{about}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

interface SetProps {
  shown: RingSet;
  all: readonly RingSet[];
  choose: (run: string) => void;
  reload: () => void;
}

function OneSet({ shown, all, choose, reload }: SetProps) {
  const ids = shown.jobs.map(({ id }) => id);
  const live = useLive(ids);
  const [share, setShare] = useState(1);
  const done = live.filter(({ job }) => TERMINAL.has(job.value?.status ?? "")).length;
  const over = done === live.length;
  return (
    <div class="stack">
      {all.length > 1 && (
        <SelectField
          label="Set of trainings"
          value={shown.run}
          options={all.map(({ run, jobs }) => ({
            value: run,
            label: `${moment(jobs[0]?.created_at ?? null)}, ${jobs.length} recipes`,
          }))}
          onChange={choose}
        />
      )}
      <Standing live={live} done={done} />
      <RangeField
        label="Share of the training"
        value={Math.round(100 * share)}
        min={0}
        max={100}
        step={1}
        shown={share === 1 ? "100 %, the newest pictures" : `${Math.round(100 * share)} %`}
        onInput={(percent) => setShare(percent / 100)}
      />
      <div class="theory-rings">
        <Target name={shown.jobs[0]?.dataset ?? RING} />
        {live.map((one, i) => (
          <Tile key={one.id} live={one} recipe={shown.jobs[i]?.metadata.recipe ?? ""} share={share} />
        ))}
      </div>
      <p class="quiet">
        2,000 points of each, drawn by the service from the same seeds throughout. The axes of a picture fit its points.
        JS and W are estimates on held-out points, by the recipe’s own discriminator; W exact, precision and recall do
        not depend on it, and compare across recipes.
      </p>
      {over && <Shown live={live} />}
      <Controls jobs={live.map(({ job }, i) => job.value ?? shown.jobs[i])} over={over} reload={reload} />
    </div>
  );
}

function Standing({ live, done }: { live: readonly LiveJob[]; done: number }) {
  const going = live.find(({ job }) => job.value?.status === "running")?.job.value?.metadata.recipe;
  return (
    <p role="status">
      <strong>
        {done} of {live.length} have ended.
      </strong>{" "}
      {going && `${going} is training; the others wait for their turn.`}
      {!going && done < live.length && "They wait for a place to train."}
    </p>
  );
}

function Target({ name }: { name: string }) {
  return (
    <figure class="card theory-tile">
      <figcaption>
        <strong>The data</strong>
      </figcaption>
      <img
        src={`/v1/datasets/${name}/preview`}
        alt={`${MODES} clouds of points on a circle`}
        width="480"
        height="480"
      />
      <p class="quiet">What each of them is to draw. It stands in grey behind what they do.</p>
    </figure>
  );
}

function Tile({ live, recipe, share }: { live: LiveJob; recipe: string; share: number }) {
  const job = live.job.value;
  const whole = total(live);
  const at = upTo(live.previews.value, (images) => images, share, whole);
  const row = upTo(live.rows.value, ({ images }) => images, share, whole);
  return (
    <figure class="card theory-tile" aria-label={recipe}>
      <figcaption class="row apart">
        <strong>{recipe}</strong>
        {job && <Status status={job.status} />}
      </figcaption>
      {at === undefined ? (
        <div class="theory-blank quiet">{waitingFor(job, live.previews.value.length > 0)}</div>
      ) : (
        <img
          src={`/v1/jobs/${live.id}/preview?at=${at}`}
          alt={`What ${recipe} draws after ${counted(at)} points`}
          width="480"
          height="480"
        />
      )}
      {job?.status === "running" && <Progress label={recipe} share={(job.progress?.percent ?? 0) / 100} />}
      {job?.error && <p class="wrong">{job.error.message}</p>}
      <ProblemNote error={live.refused.value} />
      <Numbers row={row} at={at} />
    </figure>
  );
}

function waitingFor(job: Job | null, later: boolean): string {
  if (later) return "No picture yet at this share.";
  const before = (job?.queue_position ?? 1) - 1;
  if (job?.status === "queued") return before ? `Queued: ${before} before it.` : "Queued: it is next.";
  return job && TERMINAL.has(job.status) ? "It made no picture." : "The first picture comes soon.";
}

const SHOWN = [
  ["JS", "js_estimate"],
  ["W", "wasserstein_estimate"],
  ["Critic gap", "critic_gap"],
  ["W exact", "wasserstein_exact"],
  ["Precision", "precision"],
  ["Recall", "recall"],
] as const;

function Numbers({ row, at }: { row: Record<string, number | null> | undefined; at: number | undefined }) {
  return (
    <>
      <dl class="theory-numbers">
        {SHOWN.map(([label, name]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd class="number">{measured(row?.[name])}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet number">{at === undefined ? "–" : `${counted(at)} points seen`}</p>
    </>
  );
}

function Shown({ live }: { live: readonly LiveJob[] }) {
  const said = sentences(told(live));
  if (!said.length) return null;
  return (
    <div class="card">
      <h3>What is seen</h3>
      <ul class="theory-said">
        {said.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </div>
  );
}

function Controls({ jobs, over, reload }: { jobs: readonly (Job | undefined)[]; over: boolean; reload: () => void }) {
  const known = jobs.filter((job) => job !== undefined);
  const stop = useDo(() => cancel(known));
  const drop = useDo(() => forget(known).finally(reload));
  return (
    <>
      <div class="row">
        <a class="button" href={to("watch", known.map(({ id }) => id).join(","))}>
          Compare their curves in Watch
        </a>
        {!over && may("train") && (
          <button type="button" disabled={stop.busy} onClick={stop.run}>
            Cancel what has not ended
          </button>
        )}
        {over && may("admin") && (
          <button type="button" class="plain" disabled={drop.busy} onClick={drop.run}>
            Delete this set and its models
          </button>
        )}
      </div>
      <ProblemNote error={stop.error ?? drop.error} />
    </>
  );
}
