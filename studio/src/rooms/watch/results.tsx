// What jobs other than trainings came to.
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, type Job } from "../../api/client";
import { may } from "../../api/session";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Scroll } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { measured } from "../../ui/words";

export function Result({ job }: { job: Job }) {
  const Kind = RESULTS[job.type];
  return Kind && job.status === "succeeded" ? <Kind job={job} /> : null;
}

const RESULTS: Partial<Record<Job["type"], FunctionComponent<{ job: Job }>>> = {
  prepare: Prepared,
  evaluate: Evaluated,
  project: Projected,
};

function Prepared({ job }: { job: Job }) {
  return (
    <p>
      <a class="button primary" href={to("data", job.dataset ?? "")}>
        See the data
      </a>
    </p>
  );
}

/** Metric → what it says, and which way is better. */
const SAYS: Record<string, string> = {
  fid: "how far apart the Gaussians are that fit both samples' features; lower is better",
  kid: "the same question by a kernel, independent of the number of rows; lower is better",
  precision: "the share of samples that lie where data lie; higher is better",
  density: "as precision, and less moved by outliers; higher is better",
  recall: "the share of the data that is reached; higher is better",
  coverage: "as recall, and not pleased by noise; higher is better",
  sliced_wasserstein: "mean W₁ over random directions; lower is better",
  wasserstein_exact: "W₁ by exact transport; lower is better",
  wasserstein2_exact: "W₂ by exact transport; lower is better",
  near_copies: "the share of samples learned by heart; lower is better",
  js_estimate: "a lower bound of the Jensen–Shannon divergence, nats, 0 to log 2 ≈ 0.693; lower is better",
  wasserstein_estimate: "a critic's gap over its steepest gradient, no bound; lower is better",
};

function Evaluated({ job }: { job: Job }) {
  const metrics = (job.result?.metrics ?? {}) as Record<string, number | null>;
  return (
    <section class="card stack" aria-label="Result">
      <h2>What was measured</h2>
      <Scroll label="Measures">
        <table>
          <thead>
            <tr>
              <th scope="col">metric</th>
              <th scope="col" class="number">
                value
              </th>
              <th scope="col">says</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(metrics).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name.replaceAll("_", " ")}</th>
                <td class="number">{measured(value)}</td>
                <td>{SAYS[name] ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {job.result?.comparable === false && (
        <p class="quiet">
          Features are of an untrained network: these figures compare with one another, and with nothing published.
        </p>
      )}
      {job.model && (
        <p>
          <a href={to("explore", job.model)}>Explore {job.model}</a>
        </p>
      )}
    </section>
  );
}

interface Projection {
  model: string;
  data: { index: number; latent: number[]; label: string | null; distance: number }[];
}

function Projected({ job }: { job: Job }) {
  const { model, data } = job.result as unknown as Projection;
  return (
    <section class="card stack" aria-label="Result">
      <h2>The nearest that {model} draws</h2>
      {may("sample") && <Drawn model={model} data={data} />}
      <table>
        <thead>
          <tr>
            <th scope="col">image</th>
            <th scope="col">label</th>
            <th scope="col" class="number">
              distance, of the range
            </th>
          </tr>
        </thead>
        <tbody>
          {data.map(({ index, label, distance }) => (
            <tr key={index}>
              <th scope="row">{index + 1}</th>
              <td>{label ?? "–"}</td>
              <td class="number">{measured(distance)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        <a class="button primary" href={to("explore", model)}>
          Explore this model
        </a>
      </p>
    </section>
  );
}

function Drawn({ model, data }: Projection) {
  const [shown, setShown] = useState<string | null>(null);
  const labels = data.flatMap(({ label }) => (label === null ? [] : [label]));
  const drawn = useLoad(
    async (signal) => {
      const json = {
        model,
        latents: data.map(({ latent }) => latent),
        ...(labels.length === data.length && { labels }),
      };
      return (await ask("/v1/samples", { method: "POST", json, accept: "image/png", signal })).blob();
    },
    [model],
  );
  useEffect(() => {
    if (!drawn.data) return undefined;
    const url = URL.createObjectURL(drawn.data);
    setShown(url);
    return () => URL.revokeObjectURL(url);
  }, [drawn.data]);
  if (drawn.error) return <ProblemNote error={drawn.error} retry={drawn.reload} />;
  return shown ? (
    <img class="picture pixels" src={shown} alt={`${data.length} pictures drawn from the latents found`} />
  ) : null;
}
