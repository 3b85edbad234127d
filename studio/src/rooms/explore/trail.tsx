import { useState } from "preact/hooks";
import { SelectField, TextField } from "../../ui/field";
import { useDo, useLoad } from "../../ui/load";
import { Progress, save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Snippets } from "../../ui/snippets";
import { snippets } from "./commands";
import { type Body, type Drawing, drawn } from "./drawing";
import type { Found } from "./found";
import { BlobImage } from "./scatter";
import { useSettled } from "./settings";

const SIDE = 512;
const FRAMES = 48;
const METHODS = [
  { value: "slerp", label: "on an arc (slerp)" },
  { value: "lerp", label: "straight (lerp)" },
];
const WHOLE = /^\d{1,15}$/;

function bodyOf(drawing: Drawing, seeds: readonly string[], method: string): Body {
  const { model, label, ema, condition } = drawing;
  const each = { ...(label !== null && { label }), ...(condition && { condition }) };
  const keyframes = seeds.map((seed) => ({ seed: Number(seed), ...each }));
  return {
    model,
    keyframes,
    frames: FRAMES,
    size: SIDE,
    ...(method !== "slerp" && { method }),
    ...(ema !== null && { ema }),
  };
}

/** Where a point goes as its latent walks from one seed's to another's. */
export function Trail({ found, drawing }: { found: Found; drawing: Drawing }) {
  const [a, setA] = useState("0");
  const [b, setB] = useState("1");
  const [method, setMethod] = useState("slerp");
  const body = WHOLE.test(a) && WHOLE.test(b) ? bodyOf(drawing, [a, b], method) : null;
  return (
    <section class="card stack" aria-labelledby="trail-name">
      <h2 id="trail-name">From one point to another</h2>
      <div class="morph-choices">
        <SeedField label="From the seed" seed={a} setSeed={setA} />
        <SeedField label="To the seed" seed={b} setSeed={setB} />
        <SelectField label="Way" value={method} options={METHODS} onChange={setMethod} />
      </div>
      {body && <Walked found={found} body={body} />}
    </section>
  );
}

function SeedField({ label, seed, setSeed }: { label: string; seed: string; setSeed: (seed: string) => void }) {
  const [now, change] = useSettled(seed, setSeed);
  const wrong = WHOLE.test(now) ? undefined : "a whole number from 0";
  return <TextField label={label} type="number" min={0} step={1} value={now} onInput={change} wrong={wrong} />;
}

function Walked({ found, body }: { found: Found; body: Body }) {
  const { data, error, loading, reload } = useLoad(
    (signal) => drawn("/v1/interpolations", body, "image/png", signal),
    [JSON.stringify(body)],
  );
  const file = `${found.model.name}-walk`;
  const take = useDo(async (accept: string, extension: string) =>
    save(await drawn("/v1/interpolations", body, accept), `${file}.${extension}`),
  );
  return (
    <div class="beside">
      <div class="points">
        <ProblemNote error={error} retry={reload} />
        {loading && !data && <Progress label="Drawing the walk" share={null} />}
        <BlobImage blob={data} alt={`The points that ${found.model.name} makes on the way`} />
      </div>
      <div class="stack">
        <div class="row">
          <button type="button" onClick={() => take.run("image/png", "png")}>
            Plot
          </button>
          <button type="button" onClick={() => take.run("image/gif", "gif")}>
            GIF
          </button>
          <button type="button" onClick={() => take.run("application/json", "json")}>
            Points .json
          </button>
        </div>
        <ProblemNote error={take.error} />
        <Snippets
          label="The walk as"
          snippets={snippets({ path: "/v1/interpolations", json: body, accept: "image/png", file: `${file}.png` })}
        />
      </div>
    </div>
  );
}
