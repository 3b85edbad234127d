import { get, type Model, type Schemas } from "../../api/client";
import type { LiveJob } from "../../api/live";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Scroll } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted, measured, sized } from "../../ui/words";

type Checkpoint = Schemas["Checkpoint"];

/** The model's checkpoints, read anew whenever one is published. */
export function Checkpoints({ live }: { live: LiveJob }) {
  const model = live.job.value?.model;
  const published = live.events.value.findLast((event) => event.type === "checkpoint.published")?.id ?? 0;
  const found = useLoad(
    async (signal) => (model && published ? await get<Model>(`/v1/models/${model}`, {}, signal) : null),
    [model, published],
  );
  if (found.error) return <ProblemNote error={found.error} retry={found.reload} />;
  if (!found.data?.checkpoints.length) return null;
  const metric = String(live.job.value?.spec.metric ?? "");
  const newestFirst = [...found.data.checkpoints].sort((a, b) => b.images - a.images);
  return (
    <section class="card stack" aria-label="Checkpoints">
      <h2>Checkpoints</h2>
      <Scroll label="Checkpoints of the model">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                images
              </th>
              <th scope="col" class="number">
                {metric.replaceAll("_", " ") || "metric"}
              </th>
              <th scope="col" class="number">
                size
              </th>
              <th scope="col">draw</th>
            </tr>
          </thead>
          <tbody>
            {newestFirst.map((one) => (
              <Line key={one.id} one={one} model={found.data?.name ?? ""} metric={metric} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function Line({ one, model, metric }: { one: Checkpoint; model: string; metric: string }) {
  return (
    <tr>
      <td class="number">
        {one.pinned && <span class="badge">pinned</span>} {counted(one.images)}
      </td>
      <td class="number">{measured(one.metrics[metric])}</td>
      <td class="number">{sized(one.bytes)}</td>
      <td>
        <a
          href={to("explore", `${model}@${one.images}`)}
          aria-label={`Explore ${model} at ${counted(one.images)} images`}
        >
          Explore
        </a>
      </td>
    </tr>
  );
}
