import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../../api/session";
import { go, route } from "../../router";
import { TextField } from "../../ui/field";
import { Progress } from "../../ui/parts";
import { ProblemNote, wrongAt } from "../../ui/problem";
import { sized } from "../../ui/words";
import { dropped, free, gathered, type Placed, picked, type Source, Unusable } from "./gather";
import { busy, bytesOf, failed, type Sending, send, sending, type Wish } from "./sending";
import { several } from "./words";

/** Send, and go to what becomes of it; whoever is elsewhere by then stays there. */
export async function sendAndGo(wish: Wish): Promise<void> {
  const dataset = await send(wish);
  const here = ["", "data"].includes(route.value.room) && !route.value.argument;
  if (dataset && here) go("data", dataset.name);
}

/** Where data come in: a drop zone, then a form, then how far the upload is. `taken` are names that datasets have. */
export function Upload({ taken }: { taken: ReadonlySet<string> }) {
  const [source, setSource] = useState<Source | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const [looking, setLooking] = useState(false);
  const take = (given: Promise<Placed[]>): void => {
    setWrong(null);
    failed.value = null;
    setLooking(true);
    given
      .then((placed) => setSource(gathered(placed)))
      .catch((error: Error) =>
        setWrong(error instanceof Unusable ? error.message : `It cannot be read: ${error.message}`),
      )
      .finally(() => setLooking(false));
  };
  const allowed = may("train");
  const over = useDrop(take, allowed && !busy.value);
  if (!allowed) return <p class="note">Your key may look at datasets. To upload one, ask for a key that may train.</p>;
  if (source) return <Wishing key={source.name} source={source} taken={taken} again={() => setSource(null)} />;
  if (busy.value) return <OnItsWay />;
  return <Zone over={over} looking={looking} wrong={wrong} take={take} />;
}

/** Drops anywhere in the page count: one that misses the zone would make the browser leave for the file. */
function useDrop(take: (given: Promise<Placed[]>) => void, open: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const here = new AbortController();
    const on = (type: "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void): void =>
      addEventListener(type, act, { signal: here.signal });
    on("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = open ? "copy" : "none";
      setOver(open);
    });
    on("dragleave", (event) => event.relatedTarget === null && setOver(false));
    on("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(false);
      if (open) take(dropped(event.dataTransfer));
    });
    return () => here.abort();
  }, [open]);
  return over;
}

type ZoneProps = { over: boolean; looking: boolean; wrong: string | null; take: (given: Promise<Placed[]>) => void };

function Zone({ over, looking, wrong, take }: ZoneProps) {
  return (
    <section class={`drop data-drop ${over ? "over" : ""}`} aria-label="Upload data">
      <svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">
        <path d="M24 31V9m-9 9 9-9 9 9M8 31v6a3 3 0 0 0 3 3h26a3 3 0 0 0 3-3v-6" />
      </svg>
      <p class="data-lead">Drop a folder of images here, or a zip of one</p>
      <div class="row">
        <Picker label="Choose a folder" folder take={take} />
        <Picker label="Choose files" take={take} />
      </div>
      <p class="quiet">
        PNG, JPEG or WebP. Folders inside become classes: put cats into <code>cat</code> and dogs into <code>dog</code>,
        and you can later ask for either. Points go as <code>.csv</code> or <code>.npy</code>.
      </p>
      <div role="status">{looking && "Looking through it …"}</div>
      {wrong && (
        <p class="problem" role="alert">
          {wrong}
        </p>
      )}
      {failed.value && <SendingProblem error={failed.value} />}
    </section>
  );
}

type PickerProps = { label: string; folder?: boolean; take: (given: Promise<Placed[]>) => void };

/** A button that opens the browser's own dialog: the bare control cannot say what it is for. */
function Picker({ label, folder = false, take }: PickerProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        aria-label={label}
        {...(folder ? { webkitdirectory: true } : { accept: ".zip,.npy,.csv,.png,.jpg,.jpeg,.webp" })}
        onChange={(event) => {
          const placed = picked(event.currentTarget.files);
          event.currentTarget.value = "";
          if (placed.length) take(Promise.resolve(placed));
        }}
      />
    </>
  );
}

// ---- what is to be uploaded ----

type WishingProps = { source: Source; taken: ReadonlySet<string>; again: () => void };

function Wishing({ source, taken, again }: WishingProps) {
  const [wish, setWish] = useState<Wish>({ source, name: free(source.name, taken), width: "", height: "" });
  const error = failed.value;
  const change = (field: "name" | "width" | "height") => (value: string) =>
    setWish((last) => ({ ...last, [field]: value }));
  if (busy.value) return <OnItsWay />;
  const exists = taken.has(wish.name)
    ? `There is a dataset called ${wish.name} already: choose another name.`
    : undefined;
  return (
    <form
      class="card stack"
      aria-label="Upload"
      onSubmit={(event) => {
        event.preventDefault();
        if (!exists) void sendAndGo(wish);
      }}
    >
      <Contents source={source} />
      {source.kind === "images" && <Peek source={source} />}
      <div class="data-name">
        <TextField
          label="Name"
          hint="How you will call it when you train on it: letters, digits, dots and dashes."
          required
          value={wish.name}
          onInput={change("name")}
          wrong={exists ?? wrongAt(error, "name")}
        />
      </div>
      {source.kind !== "points" && <Resolution wish={wish} change={change} error={error} />}
      <UploadProblem error={error} />
      <div class="row">
        <button type="submit" class="primary">
          Upload
        </button>
        <button type="button" class="plain" onClick={again}>
          Choose something else
        </button>
      </div>
    </form>
  );
}

const KINDS: Record<Source["kind"], string> = { zip: "a zip archive", points: "a table of points", images: "" };

function Contents({ source }: { source: Source }) {
  const images = source.files.filter(({ path }) => !path.endsWith(".csv")).length;
  const what =
    source.kind === "images" ? several(images, "image") : `${source.files[0]?.file.name}, ${KINDS[source.kind]}`;
  return (
    <div>
      <h2>
        {what}, {sized(bytesOf(source))}
      </h2>
      {source.left.length > 0 && (
        <details class="quiet">
          <summary>{several(source.left.length, "file")} left out: neither PNG, JPEG nor WebP</summary>
          <ul>
            {source.left.slice(0, 20).map((path) => (
              <li key={path}>{path}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

const PEEKED = 10;
/** Bytes of a file that is shown before it is sent: larger ones take long to decode. */
const LIGHT = 4e6;

/** Some of the images that were chosen, so that one sees that they are the right ones. */
function Peek({ source }: { source: Source }) {
  const [urls, setUrls] = useState<string[]>([]);
  useEffect(() => {
    const light = source.files.filter(({ path, file }) => !path.endsWith(".csv") && file.size < LIGHT);
    const step = Math.max(1, Math.floor(light.length / PEEKED));
    const made = light.filter((_, index) => index % step === 0).slice(0, PEEKED);
    const found = made.map(({ file }) => URL.createObjectURL(file));
    setUrls(found);
    return () => found.forEach(URL.revokeObjectURL);
  }, [source]);
  return (
    <div class="row data-peek">
      {urls.map((url) => (
        <img key={url} src={url} alt="" decoding="async" onError={(event) => event.currentTarget.remove()} />
      ))}
    </div>
  );
}

type ResolutionProps = {
  wish: Wish;
  change: (field: "width" | "height") => (value: string) => void;
  error: Error | null;
};

function Resolution({ wish, change, error }: ResolutionProps) {
  const [wide, tall] = [wrongAt(error, "width"), wrongAt(error, "height")];
  const side = { type: "number", min: 8, max: 256, step: 1, placeholder: "by the images" } as const;
  return (
    <details open={Boolean(wide || tall)}>
      <summary>More</summary>
      <p class="quiet data-more">
        A model draws at one size, and all images are brought to it. Left empty, the size that most of them have is
        taken, or at most 64 pixels: smaller ones train faster.
      </p>
      <div class="columns">
        <TextField label="Width in pixels" value={wish.width} onInput={change("width")} wrong={wide} {...side} />
        <TextField label="Height in pixels" value={wish.height} onInput={change("height")} wrong={tall} {...side} />
      </div>
    </details>
  );
}

/** What is wrong, unless it stands beside a field of the form already. */
function UploadProblem({ error }: { error: Error | null }) {
  const beside = ["name", "width", "height"].some((field) => wrongAt(error, field));
  return error && !beside ? <SendingProblem error={error} /> : null;
}

function SendingProblem({ error }: { error: Error }) {
  if (!(error instanceof Unusable)) return <ProblemNote error={error} />;
  return (
    <p class="problem" role="alert">
      {error.message}
    </p>
  );
}

// ---- on its way ----

const STEPS: Record<Sending["step"], string> = { packing: "Packing", sending: "Uploading" };

function OnItsWay() {
  if (!sending.value) return null;
  const { name, step, share, bytes, stop } = sending.value;
  return (
    <section class="card stack" aria-label="Upload">
      <div class="row apart">
        <h2 aria-live="polite">
          {STEPS[step]} {name}
        </h2>
        <button type="button" onClick={stop}>
          Cancel
        </button>
      </div>
      <Progress label={`${STEPS[step]} ${name}`} share={share} />
      <p class="quiet number">
        {sized(Math.round(share * bytes))} of {sized(bytes)}. You may look around meanwhile: it goes on while this page
        is open.
      </p>
    </section>
  );
}
