import type { Dataset } from "../../api/client";
import { to } from "../../router";
import { counted } from "../../ui/words";

interface Props {
  datasets: readonly Dataset[];
  chosen: string;
  choose: (dataset: string) => void;
  wrong: string | undefined;
}

/** Which examples to learn from; each is known by its picture. */
export function DataChoice({ datasets, chosen, choose, wrong }: Props) {
  const ready = datasets.filter(({ status }) => status === "ready");
  const preparing = datasets.filter(({ status }) => status === "preparing").map(({ name }) => name);
  return (
    <fieldset class="part">
      <legend>Data</legend>
      <div class="choices tall">
        {ready.map((dataset) => (
          <label class="choice" key={dataset.id}>
            <input
              type="radio"
              name="dataset"
              value={dataset.name}
              checked={dataset.name === chosen || dataset.id === chosen}
              onChange={() => choose(dataset.name)}
            />
            <span class={`peek ${dataset.kind === "points" ? "whole" : "pixels"}`}>
              <img src={`/v1/datasets/${dataset.id}/preview`} alt="" loading="lazy" />
            </span>
            <span>
              <strong>{dataset.name}</strong>
              <span class="quiet line">{described(dataset)}</span>
            </span>
          </label>
        ))}
      </div>
      {wrong && <p class="wrong">{wrong}</p>}
      <p class="quiet">
        {preparing.length > 0 && `Still being prepared: ${preparing.join(", ")}. `}
        <a href={to("data")}>Bring more data</a>
      </p>
    </fieldset>
  );
}

const COLOURS: Record<number, string> = {
  1: "grey",
  2: "grey with transparency",
  3: "in colour",
  4: "with transparency",
};

/** `1,797 images of 8 × 8, grey, 10 classes`. */
export function described(dataset: Dataset): string {
  const { count, kind, width, height, channels, dims, classes, input_channels } = dataset;
  const rows = counted(count ?? 0);
  const what =
    kind === "points"
      ? `${rows} points of ${dims} numbers`
      : `${rows} ${input_channels ? "pairs" : "images"} of ${width} × ${height}, ${COLOURS[channels ?? 3]}`;
  return classes.length > 1 ? `${what}, ${classes.length} classes` : what;
}
