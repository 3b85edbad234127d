import { type Dataset, every } from "../../api/client";
import { BEGINNINGS_AND_ENDS, useNews } from "../../api/live";
import { may } from "../../api/session";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Empty, Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted, moment } from "../../ui/words";
import { free } from "./gather";
import { RING, ringSource } from "./ring";
import { busy } from "./sending";
import { sendAndGo, Upload } from "./upload";
import { kindOf, shapeOf } from "./words";

/** Datasets that are listed, the newest of them. */
const MOST = 1_000;

/** `#/data`: where data come in, and what there is. */
export function Shelf() {
  const found = useLoad(() => every<Dataset>("/v1/datasets", {}, MOST), [busy.value]);
  useNews(BEGINNINGS_AND_ENDS, found.reload);
  const taken = new Set(found.data?.map(({ name }) => name));
  return (
    <div class="stack">
      <h1>Data</h1>
      <Upload taken={taken} />
      <ProblemNote error={found.error} retry={found.reload} />
      {found.data && (found.data.length ? <Datasets datasets={found.data} /> : <Nothing taken={taken} />)}
    </div>
  );
}

function Nothing({ taken }: { taken: ReadonlySet<string> }) {
  return (
    <Empty title="Nothing here yet">
      <p>
        A model learns to draw by looking at examples: a few hundred pictures of one kind of thing are enough to begin
        with. Drop yours above.
      </p>
      {may("train") && (
        <>
          <p>No pictures at hand? Begin with points: eight little clouds on a ring, learned in seconds.</p>
          <button
            type="button"
            disabled={busy.value}
            onClick={() => void sendAndGo({ source: ringSource(), name: free(RING, taken), width: "", height: "" })}
          >
            Try it with a ring of points
          </button>
        </>
      )}
    </Empty>
  );
}

function Datasets({ datasets }: { datasets: readonly Dataset[] }) {
  return (
    <section aria-label="Datasets">
      <table class="data-list">
        <thead>
          <tr>
            <th colSpan={2}>Name</th>
            <th class="number">Count</th>
            <th>Kind</th>
            <th>Size</th>
            <th class="number">Classes</th>
            <th>Status</th>
            <th>Created</th>
          </tr>
        </thead>
        <tbody>
          {datasets.map((dataset) => (
            <Row key={dataset.id} dataset={dataset} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ dataset }: { dataset: Dataset }) {
  const { name, count, classes, status, created_at } = dataset;
  return (
    <tr>
      <td class="data-thumb">{status === "ready" && <Thumb dataset={dataset} />}</td>
      <th scope="row" class="data-called">
        <a href={to("data", name)}>{name}</a>
      </th>
      <td class="number">{count === null ? "–" : counted(count)}</td>
      <td>{kindOf(dataset)}</td>
      <td>{shapeOf(dataset)}</td>
      <td class="number data-wide">{classes.length || "–"}</td>
      <td>
        <Status status={status} />
      </td>
      <td class="data-wide">{moment(created_at)}</td>
    </tr>
  );
}

/** Four of its images, or its points. */
function Thumb({ dataset: { id, kind, width } }: { dataset: Dataset }) {
  const few = kind === "points" ? "preview" : "images.png?limit=4&order=spread&size=48";
  return <img class={(width ?? 64) <= 32 ? "pixels" : ""} src={`/v1/datasets/${id}/${few}`} alt="" loading="lazy" />;
}
