import { useEffect, useMemo, useState } from "preact/hooks";
import { ask } from "../../api/client";
import { may } from "../../api/session";
import type { RoomProps } from "../../app";
import { remember, route, to } from "../../router";
import { useLoad } from "../../ui/load";
import { Empty, Progress } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted, sized } from "../../ui/words";
import { base64, type Drawing, type Edit } from "./drawing";
import { type End, type Ends, endIn, wordOf } from "./ends";
import { type Checkpoint, type Found, find, type Picture, pictureOfModel } from "./found";
import { Grid } from "./grid";
import { ModelList, NoSampling } from "./list";
import { Morph } from "./morph";
import { PHOTOGRAPHS } from "./photo";
import { Picked } from "./picked";
import { Points } from "./points";
import { type Chosen, chosenIn, drawingOf, Settings } from "./settings";
import "./style.css";
import { Trail } from "./trail";
import { useView, Wall } from "./wall";

export function ExploreRoom({ argument }: RoomProps) {
  return argument === "" ? <ModelList /> : <Opened reference={argument} />;
}

function Opened({ reference }: { reference: string }) {
  const { data: found, error, loading, reload } = useLoad((signal) => find(reference, signal), [reference]);
  return (
    <div class="stack explore">
      {!found && <h1>Explore</h1>}
      <ProblemNote error={error} retry={reload} />
      {loading && !found && <Progress label="Reading the model" share={null} />}
      {found && <Head found={found} />}
      {found && !found.checkpoint && <NoCheckpoint found={found} />}
      {found?.checkpoint && !may("sample") && <NoSampling />}
      {found?.checkpoint && may("sample") && <Drawn found={found} checkpoint={found.checkpoint} reload={reload} />}
    </div>
  );
}

function Head({ found: { model, checkpoint } }: { found: Found }) {
  return (
    <div class="row apart">
      <div>
        <h1>{model.name}</h1>
        <p class="quiet explore-facts">
          recipe {model.recipe}
          {model.dataset && (
            <>
              , dataset <a href={to("data", model.dataset)}>{model.dataset}</a>
            </>
          )}
          {checkpoint && `, ${counted(checkpoint.images)} images seen`}
          {model.classes.length > 0 && `, ${counted(model.classes.length)} classes`}
        </p>
      </div>
      <div class="row">
        <a href={to("explore")}>All models</a>
        {checkpoint && (
          <a class="button" href={checkpoint.url} download={`${model.name}-${checkpoint.images}.safetensors`}>
            Checkpoint, {sized(checkpoint.bytes)}
          </a>
        )}
      </div>
    </div>
  );
}

function NoCheckpoint({ found: { model, at } }: { found: Found }) {
  const none = model.checkpoints.length === 0;
  return (
    <Empty title={none ? "This model has no checkpoint yet" : `This model has no checkpoint ${at}`}>
      <p>
        {none
          ? "Its training has not written one so far; look again in a moment."
          : "It may have been retired: training keeps the newest, the best and those that are pinned."}
      </p>
      <a class="button primary" href={none ? to("watch") : to("explore", model.name)}>
        {none ? "Watch it" : "Its newest"}
      </a>
    </Empty>
  );
}

type DrawnProps = { found: Found; checkpoint: Checkpoint; reload: () => void };

function Drawn({ found, checkpoint, reload }: DrawnProps) {
  const chosen = chosenIn(route.value.query, found);
  const drawing = useMemo(() => drawingOf(checkpoint, chosen), [checkpoint.id, JSON.stringify(chosen)]);
  const picture = pictureOfModel(found.model);
  return (
    <>
      <Settings found={found} chosen={chosen} />
      {picture ? (
        <Pictures found={found} picture={picture} drawing={drawing} chosen={chosen} reload={reload} />
      ) : (
        <>
          <Points found={found} drawing={drawing} from={chosen.from} />
          <Trail found={found} drawing={drawing} />
        </>
      )}
    </>
  );
}

type PicturesProps = { found: Found; picture: Picture; drawing: Drawing; chosen: Chosen; reload: () => void };

function Pictures({ found, picture, drawing, chosen, reload }: PicturesProps) {
  const { classes, network } = found.model;
  const view = useView();
  const [input, setInput] = useState<string | null>(null);
  const [edits, setEdits] = useState<readonly Edit[]>([]);
  const { ends, setEnds } = useEnds(classes);
  const { failure, failed, again, turn } = useFailures(reload);
  const picked = endIn(route.value.query.get("pick"), [])?.seed ?? null;
  const pick = (seed: number): void => {
    setEdits([]);
    remember({ pick: seed });
    requestAnimationFrame(bringIntoSight);
  };
  const end = (which: "a" | "b", seed: number, moved: readonly Edit[] = [], made: Blob | null = null): void =>
    setEnds({ [which]: { kind: "seed", seed, label: drawing.label, edits: moved, picture: made } });
  return (
    <>
      {network.conditioning.kind === "image" && <InputField input={input} setInput={setInput} />}
      <div class="beside explore-beside">
        <div class="stack explore-sticky">
          <ProblemNote error={failure} retry={again} />
          <Wall
            drawing={drawing}
            picture={picture}
            first={chosen.from}
            tile={chosen.tile}
            picked={picked}
            view={view}
            pick={pick}
            end={end}
            failed={failed}
            turn={turn}
          />
          <Grid found={found} picture={picture} drawing={drawing} view={view} />
        </div>
        {picked === null ? (
          <NothingPicked />
        ) : (
          <Picked
            found={found}
            picture={picture}
            shown={{ drawing, seed: picked, edits, input }}
            setEdits={setEdits}
            end={(which, made) => end(which, picked, edits, made)}
          />
        )}
      </div>
      <Morph found={found} picture={picture} drawing={drawing} input={input} ends={ends} setEnds={setEnds} />
    </>
  );
}

/** Where the picked picture stands below the wall, beyond the screen's end, the page goes there. */
function bringIntoSight(): void {
  const name = document.getElementById("picked-name");
  if (name && name.getBoundingClientRect().top > innerHeight - 120) name.scrollIntoView({ block: "start" });
}

function NothingPicked() {
  return (
    <Empty title="Pick a picture">
      <p>
        Click one, or walk over the wall with the arrow keys and press Enter. Then see it large, what the discriminator
        thinks of it, which training data are nearest, and move it along the model’s directions.
      </p>
    </Empty>
  );
}

/** The ends of the walk, kept in the address where they have a place there; another address has other ends. */
function useEnds(classes: readonly string[]): { ends: Ends; setEnds: (more: Partial<Ends>) => void } {
  const [a, b] = [route.value.query.get("a"), route.value.query.get("b")];
  const [ends, set] = useState<Ends>(() => ({ a: endIn(a, classes), b: endIn(b, classes) }));
  const kept = (end: End | null, word: string | null): End | null =>
    word === wordOf(end) ? end : endIn(word, classes);
  useEffect(() => set((known) => ({ a: kept(known.a, a), b: kept(known.b, b) })), [a, b]);
  const setEnds = (more: Partial<Ends>): void => {
    const next = { ...ends, ...more };
    set(next);
    remember({ a: wordOf(next.a), b: wordOf(next.b) });
  };
  return { ends, setEnds };
}

/** Why pictures of the wall did not come: asked once, of the first that failed. */
function useFailures(reload: () => void) {
  const [failure, setFailure] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const failed = (address: string): void => {
    if (failure) return;
    ask(address, { accept: "image/*" }).then(() => undefined, setFailure);
  };
  const again = (): void => {
    setFailure(null);
    setTurn(turn + 1);
    reload();
  };
  return { failure, failed, again, turn };
}

type InputFieldProps = { input: string | null; setInput: (input: string | null) => void };

/** For models of pairs: what the picked picture and the walk are drawn of. */
function InputField({ input, setInput }: InputFieldProps) {
  return (
    <div class="card row">
      {input !== null && <img class="explore-input" src={`data:image/png;base64,${input}`} alt="Your input" />}
      <span class="quiet">
        This model answers to pictures. On the wall each seed has an input of the checkpoint’s own; the picked picture
        and the walk are drawn of {input === null ? "that, too" : "yours"}.
      </span>
      <label class="button">
        Choose an input…
        <input
          type="file"
          class="hidden-text"
          accept={PHOTOGRAPHS}
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) void base64(file).then(setInput);
          }}
        />
      </label>
      {input !== null && (
        <button type="button" onClick={() => setInput(null)}>
          Without it
        </button>
      )}
    </div>
  );
}
