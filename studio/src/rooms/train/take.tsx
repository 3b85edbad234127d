import { useRef } from "preact/hooks";
import { address, type Job, post, Refused } from "../../api/client";
import { go, to } from "../../router";
import { useDo } from "../../ui/load";
import { CopyButton } from "../../ui/parts";
import { ProblemNote, wrongAt } from "../../ui/problem";
import { lasting, sized } from "../../ui/words";
import type { Body } from "./draft";
import type { Answer, Estimates } from "./estimating";
import { labelOf } from "./settings";

type Bodies = Readonly<Record<string, Body>>;
interface Props {
  bodies: Bodies;
  estimates: Estimates;
}

/** What the training will take, and its start. */
export function Take({ bodies, estimates }: Props) {
  const recipes = Object.keys(bodies);
  const refused = recipes.filter((recipe) => estimates.answers[recipe]?.error);
  return (
    <aside class="card stack take" aria-label="What it takes">
      <div class="row apart">
        <h2>What it takes</h2>
        {estimates.waiting && <span class="quiet">asking …</span>}
      </div>
      <div aria-live="polite" aria-busy={estimates.waiting}>
        {recipes.length > 1 ? <Several recipes={recipes} {...estimates} /> : <One {...estimates} recipe={recipes[0]} />}
        {refused.map((recipe) => (
          <div key={recipe} class="refused">
            {recipes.length > 1 && <strong>{recipe}</strong>}
            <Refusal error={estimates.answers[recipe]?.error ?? null} />
          </div>
        ))}
      </div>
      <Start bodies={bodies} stopped={refused.length > 0} />
      {recipes.length > 0 && <AsRequest bodies={bodies} />}
    </aside>
  );
}

/** Why it would be refused, by the name that the field at fault has on this page. */
function Refusal({ error }: { error: Error | null }) {
  const param = error instanceof Refused ? error.problem.param : undefined;
  const label = param ? labelOf(param) : undefined;
  if (!param || !label || !error) return <ProblemNote error={error} />;
  return (
    <div class="problem" role="alert">
      <strong>{label}</strong>
      <p>{wrongAt(error, param) ?? error.message}</p>
    </div>
  );
}

const BASES: Record<string, string> = {
  counted:
    "Counted from the size of the network: a first guess, until such trainings have been measured on this server.",
  measured_jobs: "By what such trainings took on this server.",
};

function One({ answers, recipe }: Pick<Estimates, "answers"> & { recipe: string | undefined }) {
  const answer = recipe === undefined ? undefined : answers[recipe];
  if (recipe === undefined) return <p class="quiet">Tick at least one recipe.</p>;
  if (!answer) return <p class="quiet">Being estimated …</p>;
  if (!answer.estimate) return null;
  const found = answer.estimate.estimate;
  if (!found) return <p>What such a network takes is not counted: it will be known once it runs.</p>;
  return (
    <>
      <dl class="facts">
        <dt>Time</dt>
        <dd>{found.seconds ? `about ${lasting(found.seconds)}` : "–"}</dd>
        <dt>Memory</dt>
        <dd>{sized(found.memory_bytes ?? 0)}</dd>
        <dt>Each checkpoint</dt>
        <dd>{sized(found.checkpoint_bytes ?? 0)}</dd>
      </dl>
      <p class="quiet">{BASES[found.basis] ?? found.basis}</p>
    </>
  );
}

function Several({ recipes, answers }: Pick<Estimates, "answers"> & { recipes: readonly string[] }) {
  const seconds = recipes.reduce((sum, recipe) => sum + (answers[recipe]?.estimate?.estimate?.seconds ?? 0), 0);
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">Recipe</th>
            <th scope="col" class="number">
              Time
            </th>
            <th scope="col" class="number">
              Memory
            </th>
          </tr>
        </thead>
        <tbody>
          {recipes.map((recipe) => (
            <Row key={recipe} recipe={recipe} answer={answers[recipe]} />
          ))}
        </tbody>
      </table>
      <p class="quiet">One after another: about {lasting(seconds)}.</p>
    </>
  );
}

function Row({ recipe, answer }: { recipe: string; answer: Answer | undefined }) {
  const found = answer?.estimate?.estimate;
  return (
    <tr>
      <td>{recipe}</td>
      <td class="number">{found?.seconds ? lasting(found.seconds) : "–"}</td>
      <td class="number">{found?.memory_bytes ? sized(found.memory_bytes) : "–"}</td>
    </tr>
  );
}

/** Starts a job of each body; what was started is not started again where a later one is refused. */
function Start({ bodies, stopped }: { bodies: Bodies; stopped: boolean }) {
  const made = useRef(new Map<string, string>());
  const { run, busy, error } = useDo(async () => {
    for (const [recipe, body] of Object.entries(bodies)) {
      const key = JSON.stringify([recipe, body]);
      if (!made.current.has(key)) made.current.set(key, (await post<Job>("/v1/jobs", body)).id);
    }
    go("watch", started().join(","));
  });
  const started = (): string[] => Object.entries(bodies).flatMap((one) => made.current.get(JSON.stringify(one)) ?? []);
  const count = Object.keys(bodies).length;
  return (
    <>
      <button type="button" class="primary" disabled={busy || stopped || count === 0} onClick={() => run()}>
        {count > 1 ? `Start ${count} trainings` : "Start training"}
      </button>
      <ProblemNote error={error} />
      {error && started().length > 0 && (
        <p>
          {started().length} of {count} were started: <a href={to("watch", started().join(","))}>watch them</a>.
        </p>
      )}
    </>
  );
}

function AsRequest({ bodies }: { bodies: Bodies }) {
  const commands = Object.values(bodies).map(curl).join("\n");
  return (
    <details>
      <summary>The same as a request</summary>
      <pre class="wrapped">{commands}</pre>
      <CopyButton text={commands}>Copy as curl</CopyButton>
    </details>
  );
}

function curl(body: Body): string {
  const said = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -s ${location.origin}${address("/v1/jobs")} -H 'Content-Type: application/json' -d '${said}'`;
}
