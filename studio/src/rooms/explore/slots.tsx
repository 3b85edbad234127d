import { useState } from "preact/hooks";
import { pictureAddress } from "./drawing";
import type { End, Ends } from "./ends";
import { pixelated } from "./found";
import type { MorphProps } from "./morph";
import { PHOTOGRAPHS, Photo } from "./photo";
import { BlobImage } from "./scatter";

type Which = keyof Ends;
const NAMES: Record<Which, string> = { a: "A", b: "B" };
const WHICH: readonly Which[] = ["a", "b"];
type Files = Record<Which, File | null>;

/** The two ends, each to be filled from the wall or with a photograph. */
export function Slots(props: MorphProps) {
  const [files, setFiles] = useState<Files>({ a: null, b: null });
  const { ends, setEnds } = props;
  /** One file goes where it was put; of two the second goes to the other end. */
  const put = (which: Which, given: readonly File[]): void => {
    const [first = null, second = null] = given;
    const other = which === "a" ? "b" : "a";
    if (first) setFiles((last) => ({ ...last, [which]: first, ...(second && { [other]: second }) }));
  };
  const two = (): void => {
    const seeds = [0, 1].map(() => Math.floor(Math.random() * 2 ** 32));
    const [a, b] = seeds.map(
      (seed): End => ({ kind: "seed", seed, label: props.drawing.label, edits: [], picture: null }),
    );
    setFiles({ a: null, b: null });
    setEnds({ a: a ?? null, b: b ?? null });
  };
  return (
    <>
      <div class="slots">
        {WHICH.map((which) => (
          <Slot
            key={which}
            {...props}
            which={which}
            file={files[which]}
            put={(given) => put(which, given)}
            found={props.found}
            settle={(end) => {
              setFiles((last) => ({ ...last, [which]: null }));
              if (end) setEnds({ [which]: end });
            }}
          />
        ))}
      </div>
      <div class="row">
        <button type="button" onClick={two}>
          Two at random
        </button>
        <button type="button" disabled={!ends.a || !ends.b} onClick={() => setEnds({ a: ends.b, b: ends.a })}>
          Swap
        </button>
      </div>
    </>
  );
}

type SlotProps = MorphProps & {
  which: Which;
  file: File | null;
  put: (files: readonly File[]) => void;
  settle: (end: End | null) => void;
};

function Slot({ which, ends, file, put, settle, drawing, input, picture }: SlotProps) {
  const [over, setOver] = useState(false);
  const end = ends[which];
  return (
    <fieldset
      class={`drop slot ${over ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        put([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <legend>{NAMES[which]}</legend>
      {file ? (
        <Photo
          key={`${file.name} ${file.lastModified}`}
          file={file}
          drawing={drawing}
          input={input}
          done={settle}
          drop={() => settle(null)}
        />
      ) : (
        end && <EndShown end={end} drawing={drawing} pixels={pixelated(picture)} />
      )}
      <label class="button">
        {`A photograph as ${NAMES[which]}…`}
        <input
          type="file"
          class="hidden-text"
          accept={PHOTOGRAPHS}
          multiple
          onChange={(event) => {
            put([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
      </label>
    </fieldset>
  );
}

function EndShown({ end, drawing, pixels }: { end: End; drawing: MorphProps["drawing"]; pixels: string }) {
  if (end.kind === "photo")
    return (
      <div class="row">
        <BlobImage class="end-picture" blob={end.picture} alt={end.name} />
        <span class="quiet">
          {end.name}: found{end.label !== null && ` as ${end.label}`}, {(100 * end.distance).toFixed(1)} % of the range
          away
        </span>
      </div>
    );
  const name = `Seed ${end.seed}${end.label === null ? "" : `, ${end.label}`}`;
  return (
    <div class="row">
      {end.picture && end.edits.length > 0 ? (
        <BlobImage class={`end-picture ${pixels}`} blob={end.picture} alt={name} />
      ) : (
        <img
          class={`end-picture ${pixels}`}
          src={pictureAddress({ ...drawing, label: end.label }, end.seed, "png")}
          alt={name}
        />
      )}
      <span class="quiet">
        {name}
        {end.edits.length > 0 && ", moved"}
      </span>
    </div>
  );
}
