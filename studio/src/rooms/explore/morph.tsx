import { useState } from "preact/hooks";
import { SelectField } from "../../ui/field";
import { useDo, useLoad } from "../../ui/load";
import { Progress, save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Snippets } from "../../ui/snippets";
import { snippets } from "./commands";
import { type Body, type Drawing, drawn } from "./drawing";
import { type Ends, type Walk, walkOf } from "./ends";
import { cutOf, develop } from "./film";
import { type Found, type Picture, pixelated } from "./found";
import { Player } from "./player";
import { SizeField } from "./size";
import { Slots } from "./slots";

type Method = "slerp" | "lerp";

interface Choices {
  method: Method;
  /** A class for the whole walk; null: from A's to B's. */
  label: string | null;
  frames: number;
  fps: number;
}

const USUAL: Choices = { method: "slerp", label: null, frames: 65, fps: 12 };

export interface MorphProps {
  found: Found;
  picture: Picture;
  drawing: Drawing;
  input: string | null;
  ends: Ends;
  setEnds: (ends: Partial<Ends>) => void;
}

function bodyOf(walk: Walk, { method, label, frames }: Choices, drawing: Drawing, input: string | null): Body {
  const keyframes = label === null ? walk.keyframes : walk.keyframes.map((frame) => ({ ...frame, label }));
  return {
    model: drawing.model,
    keyframes,
    frames,
    ...(method !== "slerp" && { method }),
    ...(walk.truncation !== 1 && { truncation: walk.truncation }),
    ...(drawing.ema !== null && { ema: drawing.ema }),
    ...(input !== null && { input }),
  };
}

/** A walk between two pictures: through all that lies between them, by hand or by itself. */
export function Morph({ found, picture, drawing, input, ends, setEnds }: MorphProps) {
  const [choices, setChoices] = useState(USUAL);
  const { a, b } = ends;
  const walk = useLoad(
    async (signal) => (a && b ? walkOf(a, b, drawing, input, signal) : null),
    [a, b, JSON.stringify(drawing), input],
  );
  const body = a && b && walk.data ? bodyOf(walk.data, choices, drawing, input) : null;
  return (
    <section class="card stack morph" aria-labelledby="morph-name">
      <h2 id="morph-name">From A to B</h2>
      <p class="quiet">
        Pick a picture on the wall and set it as A or B (or press A or B on it), or drop photographs here: the model’s
        picture nearest to each is looked for.
      </p>
      <Slots found={found} picture={picture} drawing={drawing} input={input} ends={ends} setEnds={setEnds} />
      <ProblemNote error={walk.error} retry={walk.reload} />
      {body && (
        <div class="beside">
          <Shown body={body} picture={picture} fps={choices.fps} />
          <div class="stack">
            <Choosing choices={choices} setChoices={setChoices} classes={found.model.classes} />
            <Take found={found} body={body} picture={picture} choices={choices} />
          </div>
        </div>
      )}
    </section>
  );
}

/** The film of a walk, fetched as one strip, and its player. */
function Shown({ body, picture, fps }: { body: Body; picture: Picture; fps: number }) {
  const { frames, size } = cutOf(picture, Number(body.frames));
  const asked = { ...body, frames, ...(size !== null && { size }) };
  const { data, error, loading, reload } = useLoad(
    (signal) => develop(asked, picture, signal),
    [JSON.stringify(asked)],
  );
  return (
    <div class="stack">
      <ProblemNote error={error} retry={reload} />
      {loading && <Progress label="Drawing the pictures between" share={null} />}
      {data && <Player film={data} pixels={pixelated(picture)} fps={fps} />}
    </div>
  );
}

const METHODS = [
  { value: "slerp", label: "on an arc (slerp)" },
  { value: "lerp", label: "straight (lerp)" },
];
const FRAMES = [17, 33, 65, 129].map((frames) => ({ value: `${frames}`, label: `${frames}` }));
const RATES = [8, 12, 24, 30].map((fps) => ({ value: `${fps}`, label: `${fps} a second` }));

type ChoosingProps = { choices: Choices; setChoices: (choices: Choices) => void; classes: readonly string[] };

function Choosing({ choices, setChoices, classes }: ChoosingProps) {
  const change = (more: Partial<Choices>): void => setChoices({ ...choices, ...more });
  const labels = [
    { value: "", label: "from A’s to B’s" },
    ...classes.map((name, index) => ({ value: `${index}`, label: `${name} all the way` })),
  ];
  const label = choices.label === null ? "" : `${classes.indexOf(choices.label)}`;
  return (
    <div class="morph-choices">
      <SelectField
        label="Way"
        value={choices.method}
        options={METHODS}
        onChange={(method) => change({ method: method as Method })}
      />
      {classes.length > 0 && (
        <SelectField
          label="Label"
          value={label}
          options={labels}
          onChange={(index) => change({ label: index === "" ? null : (classes[Number(index)] ?? null) })}
        />
      )}
      <SelectField
        label="Pictures"
        value={`${choices.frames}`}
        options={FRAMES}
        onChange={(frames) => change({ frames: Number(frames) })}
      />
      <SelectField
        label="Speed"
        value={`${choices.fps}`}
        options={RATES}
        onChange={(fps) => change({ fps: Number(fps) })}
      />
    </div>
  );
}

interface Format {
  value: string;
  label: string;
  accept: string;
  extension: string;
  moving: boolean;
}

const FORMATS: readonly Format[] = [
  { value: "gif", label: "GIF, moving", accept: "image/gif", extension: "gif", moving: true },
  { value: "webp", label: "WebP, moving", accept: "image/webp", extension: "webp", moving: true },
  { value: "strip", label: "film strip, PNG", accept: "image/png", extension: "png", moving: false },
  { value: "zip", label: "a file a picture, zip", accept: "application/zip", extension: "zip", moving: false },
];

type TakeProps = { found: Found; body: Body; picture: Picture; choices: Choices };

function Take({ found, body, picture, choices }: TakeProps) {
  const [format, setFormat] = useState<Format>(FORMATS[0] as Format);
  const [size, setSize] = useState<number | null>(null);
  const [back, setBack] = useState(false);
  const moving = format.moving && { fps: choices.fps, ...(format.value === "webp" && { layout: "animation" }) };
  const frames = back ? { loop: true, frames: 2 * (choices.frames - 1) } : {};
  const json = { ...body, ...frames, ...moving, ...(size !== null && { size }) };
  const file = `${found.model.name}-walk.${format.extension}`;
  const take = useDo(async () => save(await drawn("/v1/interpolations", json, format.accept), file));
  return (
    <div class="stack">
      <div class="morph-choices">
        <SelectField
          label="Take it as"
          value={format.value}
          options={FORMATS}
          onChange={(value) => setFormat(FORMATS.find((one) => one.value === value) ?? format)}
        />
        <SizeField made={picture} size={size} setSize={setSize} />
      </div>
      <label class="row">
        <input type="checkbox" checked={back} onChange={(event) => setBack(event.currentTarget.checked)} />
        There and back
      </label>
      <div>
        <button type="button" class="primary" disabled={take.busy} onClick={() => take.run()}>
          {take.busy ? "Drawing…" : "Save"}
        </button>
      </div>
      <ProblemNote error={take.error} />
      <Snippets
        label="The walk as"
        snippets={snippets({ path: "/v1/interpolations", json, accept: format.accept, file })}
      />
    </div>
  );
}
