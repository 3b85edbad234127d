import { useState } from "preact/hooks";
import { RangeField, SelectField } from "../../ui/field";
import { useDo } from "../../ui/load";
import { save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Snippets } from "../../ui/snippets";
import { counted } from "../../ui/words";
import { snippets } from "./commands";
import { type Drawing, drawn, samplesBody } from "./drawing";
import type { Found } from "./found";
import { Scatter } from "./scatter";

const COUNTS = [200, 1000, 5000].map((count) => ({ value: `${count}`, label: counted(count) }));
const SIDE = 640;

/** A model of points has no tiles: many of them at once, as a scatter plot. */
export function Points({ found, drawing, from }: { found: Found; drawing: Drawing; from: number }) {
  const [count, setCount] = useState(1000);
  const [turn, setTurn] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const seed = from + turn * count;
  const json = samplesBody(drawing, { seed, count }, { size: SIDE });
  const file = `${found.model.name}-${seed}`;
  const take = useDo(async (accept: string, extension: string, more: Record<string, unknown> = {}) =>
    save(await drawn("/v1/samples", { ...json, ...more }, accept), `${file}.${extension}`),
  );
  return (
    <div class="beside">
      <figure class="card points">
        <ProblemNote error={error} />
        <Scatter
          drawing={drawing}
          seed={seed}
          count={count}
          size={SIDE}
          alt={`${counted(count)} points that ${found.model.name} makes`}
          failed={setError}
        />
        <figcaption class="quiet number">
          {counted(count)} points, of seeds {seed} to {seed + count - 1}, in the data’s own units
        </figcaption>
      </figure>
      <div class="card stack">
        <RangeField
          label="Further along the seeds"
          value={turn}
          min={0}
          max={50}
          step={1}
          shown={`from ${seed}`}
          onInput={setTurn}
        />
        <SelectField label="Points" value={`${count}`} options={COUNTS} onChange={(value) => setCount(Number(value))} />
        <div class="row">
          <button type="button" onClick={() => take.run("image/png", "png")}>
            Plot
          </button>
          <button type="button" onClick={() => take.run("application/x-npy", "npy", { return: ["image"] })}>
            Points .npy
          </button>
          <button type="button" onClick={() => take.run("application/x-npy", "latents.npy", { return: ["latent"] })}>
            Latents .npy
          </button>
        </div>
        <ProblemNote error={take.error} />
        <Snippets
          label="The plot as"
          snippets={snippets({ path: "/v1/samples", json, accept: "image/png", file: `${file}.png` })}
        />
      </div>
    </div>
  );
}
