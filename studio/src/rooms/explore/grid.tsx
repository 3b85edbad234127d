import type { Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { useDo } from "../../ui/load";
import { save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Snippets } from "../../ui/snippets";
import { snippets } from "./commands";
import { type Drawing, drawn, samplesBody } from "./drawing";
import type { Found, Picture } from "./found";
import { SizeField } from "./size";
import type { View } from "./wall";

type GridProps = { found: Found; picture: Picture; drawing: Drawing; view: Signal<View> };

/** What is in sight on the wall, as one picture, as files, as latents. */
export function Grid({ found, picture, drawing, view }: GridProps) {
  const [size, setSize] = useState<number | null>(null);
  const { seed, columns, rows } = view.value;
  const count = columns * rows;
  const json = samplesBody(drawing, { seed, count }, { columns, size });
  const file = `${found.model.name}-${seed}-to-${seed + count - 1}`;
  const take = useDo(async (accept: string, name: string, more: Record<string, unknown> = {}) =>
    save(await drawn("/v1/samples", { ...json, ...more }, accept), name),
  );
  return (
    <details class="card">
      <summary>
        Take what is in sight: seeds {seed} to {seed + count - 1}
      </summary>
      <div class="stack">
        <div class="row">
          <button type="button" onClick={() => take.run("image/png", `${file}.png`)}>
            Grid
          </button>
          <button type="button" onClick={() => take.run("application/zip", `${file}.zip`)}>
            A file each, .zip
          </button>
          <button type="button" onClick={() => take.run("application/x-npy", `${file}.npy`, { return: ["latent"] })}>
            Latents .npy
          </button>
        </div>
        <SizeField made={picture} size={size} setSize={setSize} />
        <ProblemNote error={take.error} />
        <Snippets
          label="The grid as"
          snippets={snippets({ path: "/v1/samples", json, accept: "image/png", file: `${file}.png` })}
        />
      </div>
    </details>
  );
}
