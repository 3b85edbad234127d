import { useEffect, useMemo, useState } from "preact/hooks";
import { post, type Schemas } from "../../api/client";
import { useDo, useLoad } from "../../ui/load";
import { save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Snippets } from "../../ui/snippets";
import { measured } from "../../ui/words";
import { snippets } from "./commands";
import { Directions } from "./directions";
import {
  addressable,
  base64,
  drawn,
  type Edit,
  latest,
  pictureAddress,
  pictureOf,
  type Shown,
  sampleOf,
  shownBody,
} from "./drawing";
import { type Found, type Picture, pixelated } from "./found";
import { Neighbours } from "./neighbours";
import { BlobImage } from "./scatter";
import { SizeField } from "./size";

export interface PickedProps {
  found: Found;
  picture: Picture;
  shown: Shown;
  setEdits: (edits: readonly Edit[]) => void;
  end: (which: "a" | "b", picture: Blob | null) => void;
}

/** The picture of what is shown; the last stays until the next is there. */
function usePicture(shown: Shown): { picture: Blob | null; error: Error | null } {
  const [picture, setPicture] = useState<Blob | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const draw = useMemo(
    () =>
      latest(async (next: Shown) => {
        await pictureOf(next).then(
          (found) => {
            setPicture(found);
            setError(null);
          },
          (reason: Error) => setError(reason),
        );
      }),
    [],
  );
  useEffect(() => draw(shown), [JSON.stringify(shown)]);
  return { picture, error };
}

/** All about the picked picture. */
export function Picked({ found, picture: made, shown, setEdits, end }: PickedProps) {
  const { picture, error } = usePicture(shown);
  const sample = useLoad((signal) => sampleOf(shown, signal), [JSON.stringify(shown)]);
  const label = sample.data?.label ?? null;
  const name = `Seed ${shown.seed}${label === null ? "" : `, ${label}`}`;
  return (
    <section class="card stack explore-picked" aria-labelledby="picked-name">
      <h2 id="picked-name" aria-live="polite">
        {name}
        {shown.edits.length > 0 && " (moved)"}
      </h2>
      <ProblemNote error={error ?? sample.error} />
      <BlobImage class={`picked-picture ${pixelated(made)}`} blob={picture} alt={`What the model makes of ${name}`} />
      <div class="row">
        <button type="button" onClick={() => end("a", picture)}>
          Set as A
        </button>
        <button type="button" onClick={() => end("b", picture)}>
          Set as B
        </button>
      </div>
      <Score shown={shown} picture={picture} sample={sample.data} kind={found.model.network.conditioning.kind} />
      <Directions drawing={shown.drawing} edits={shown.edits} setEdits={setEdits} />
      <Neighbours found={found} shown={shown} picture={made} />
      <Take found={found} shown={shown} made={made} />
    </section>
  );
}

type Kind = "none" | "class" | "vector" | "image";

/** What the judge has to be told beside the picture; null where that is not known here. */
function judgedAs(shown: Shown, sample: Schemas["Sample"], kind: Kind): Record<string, unknown> | null {
  const ways: Record<Kind, () => Record<string, unknown> | null> = {
    none: () => ({}),
    class: () => ({ labels: [sample.label] }),
    vector: () => ({ condition: sample.condition }),
    image: () => (shown.input === null ? null : { inputs: [shown.input] }),
  };
  return ways[kind]();
}

async function scoreOf(
  model: string,
  picture: Blob,
  asked: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Schemas["Scores"]> {
  const images = [await base64(picture)];
  return post<Schemas["Scores"]>("/v1/scores", { model, images, ...asked }, { signal });
}

type ScoreProps = { shown: Shown; picture: Blob | null; sample: Schemas["Sample"] | null; kind: Kind };

/** How real the discriminator finds the picture. */
function Score({ shown, picture, sample, kind }: ScoreProps) {
  const asked = sample && judgedAs(shown, sample, kind);
  const { data, error } = useLoad(
    async (signal) => (picture && asked ? scoreOf(shown.drawing.model, picture, asked, signal) : null),
    [picture, JSON.stringify(asked), shown.drawing.model],
  );
  if (sample && !asked) return <p class="quiet">The discriminator judges pairs: choose an input to have it asked.</p>;
  const score = data?.data[0];
  return (
    <div class="score" aria-live="polite">
      <ProblemNote error={error} />
      {score && (
        <>
          <p>
            {saidOf(score.probability)} <span class="quiet number">logit {measured(score.logit)}</span>
          </p>
          {score.probability !== null && (
            <meter aria-label="Probability that it is real, by the discriminator" value={score.probability} max={1} />
          )}
          {data?.calibration?.held_out === false && (
            <p class="quiet">Counted on data that the discriminator was trained with: no rows were held out.</p>
          )}
        </>
      )}
    </div>
  );
}

function saidOf(probability: number | null): string {
  if (probability === null)
    return "This checkpoint has no calibration, so the discriminator's answer is a logit alone.";
  return `Real with probability ${Math.round(probability * 100)} %, by the discriminator.`;
}

/** Downloads, and the same by command. */
function Take({ found, shown, made }: { found: Found; shown: Shown; made: Picture }) {
  const [size, setSize] = useState<number | null>(null);
  const file = `${found.model.name}-${shown.seed}.png`;
  const json = shownBody(shown, { size });
  const at = addressable(shown)
    ? {
        address: pictureAddress(shown.drawing, shown.seed, "png", size),
        alt: `${found.model.name}, seed ${shown.seed}`,
      }
    : undefined;
  const fetchAs = async (accept: string, name: string, body = json): Promise<void> =>
    save(await drawn("/v1/samples", body, accept), name);
  const latent = shownBody(shown, { return: ["latent"] });
  const stem = `${found.model.name}-${shown.seed}-latent`;
  const take = useDo(fetchAs);
  return (
    <details open>
      <summary>Take it with you</summary>
      <div class="stack">
        <div class="row">
          <button type="button" onClick={() => take.run("image/png", file)}>
            Picture
          </button>
          <button type="button" onClick={() => take.run("application/x-npy", `${stem}.npy`, latent)}>
            Latent .npy
          </button>
          <button type="button" onClick={() => take.run("application/json", `${stem}.json`, latent)}>
            Latent .json
          </button>
        </div>
        <SizeField made={made} size={size} setSize={setSize} />
        <ProblemNote error={take.error} />
        <Snippets
          label="The picture as"
          snippets={snippets({ path: "/v1/samples", json, accept: "image/png", file, ...(at && { at }) })}
        />
      </div>
    </details>
  );
}
