import { useEffect, useState } from "preact/hooks";
import { address, ask, connection } from "../../api/client";
import type { LiveJob } from "../../api/live";
import { RangeField } from "../../ui/field";
import { useDo } from "../../ui/load";
import { save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted } from "../../ui/words";
import { type Pictures, previewAt } from "./pictures";
import type { Reel } from "./reel";
import { colorAt, nameOf } from "./series";
import { named, ofPoints } from "./words";

/** What the trainings draw from the same seeds at one moment, side by side, and the moment to be chosen. */
export function Walls({ lives, reel }: { lives: readonly LiveJob[]; reel: Reel }) {
  return (
    <section class="stack walls" aria-label="Previews">
      <div class="side-by-side">
        {lives.map((live, place) => (
          <Wall key={live.id} live={live} reel={reel} color={lives.length > 1 ? colorAt(place) : null} />
        ))}
      </div>
      {lives.some((live) => ofPoints(live.job.value)) && (
        <p class="quiet">Grey: the data. In colour: what is drawn from the same seeds throughout.</p>
      )}
      <Scrubber reel={reel} />
      <div class="row">
        {lives.map((live) => (
          <TimeLapse key={live.id} live={live} several={lives.length > 1} />
        ))}
      </div>
    </section>
  );
}

function Wall({ live, reel, color }: { live: LiveJob; reel: Reel; color: string | null }) {
  const images = reel.of(live);
  const name = nameOf(live);
  return (
    <figure class="moment">
      {images === null ? (
        <div class="picture quiet">{waitingFor(live)}</div>
      ) : (
        <Picture
          pictures={reel.pictures}
          url={previewAt(live, images)}
          alt={`What ${name} draws after ${counted(images)} images`}
        />
      )}
      <figcaption class="row">
        {color && <Chip color={color} />}
        {color && <strong>{name}</strong>}
        <span class="quiet number">{images === null ? "" : `after ${counted(images)} images`}</span>
      </figcaption>
    </figure>
  );
}

function waitingFor(live: LiveJob): string {
  const status = live.job.value?.status;
  if (status === "running" || status === "queued") return "The first preview comes shortly after it begins.";
  return status ? "It left no preview." : "";
}

/** A colour beside its name, as in the curves. */
export function Chip({ color }: { color: string }) {
  return <span class="chip" style={{ background: color }} />;
}

const ENLARGED = 480;
/** Pixels of a side below which a picture is drawn with its pixels as squares. */

/** Stays as it is until the next picture is there. */
function Picture({ pictures, url, alt }: { pictures: Pictures; url: string; alt: string }) {
  const [shown, setShown] = useState<string | null>(null);
  const [small, setSmall] = useState(false);
  useEffect(() => {
    let on = true;
    pictures.load(url).then(
      (found) => on && setShown(found),
      () => undefined,
    );
    return () => {
      on = false;
    };
  }, [url, connection.value]);
  if (!shown) return <div class="picture quiet">…</div>;
  const look = (event: { currentTarget: HTMLImageElement }): void =>
    setSmall(event.currentTarget.naturalWidth < ENLARGED);
  return <img class={small ? "picture pixels" : "picture"} src={shown} alt={alt} data-at={url} onLoad={look} />;
}

function Scrubber({ reel }: { reel: Reel }) {
  const { stops, index, live, playing, show, play } = reel;
  if (stops.length < 2) return null;
  const now = stops[index] ?? 0;
  return (
    <div class="scrubber">
      <RangeField
        label="Images seen"
        value={index}
        min={0}
        max={stops.length - 1}
        step={1}
        shown={`${counted(now)} (preview ${index + 1} of ${stops.length})`}
        onInput={(place) => show(stops[place] ?? null)}
      />
      <div class="row">
        <button type="button" aria-pressed={playing} onClick={() => play(!playing)}>
          {playing ? "Stop" : "Play"}
        </button>
        <button type="button" aria-pressed={live} class={live ? "primary" : ""} onClick={() => show(null)}>
          Newest
        </button>
      </div>
    </div>
  );
}

const FORMS: Record<string, string> = { WebP: "image/webp", GIF: "image/gif" };

function TimeLapse({ live, several }: { live: LiveJob; several: boolean }) {
  const lapse = useDo(async (form: string) => {
    const path = address(`/v1/jobs/${live.id}/preview`, { timelapse: 1 });
    const answer = await ask(path, { accept: FORMS[form] ?? "" });
    const name = live.job.value ? named(live.job.value) : live.id;
    save(await answer.blob(), `${name}-learning.${form.toLowerCase()}`);
  });
  if (live.previews.value.length < 2) return null;
  return (
    <div class="row">
      <span class="quiet">Time-lapse{several ? ` of ${nameOf(live)}` : ""}</span>
      {Object.keys(FORMS).map((form) => (
        <button
          key={form}
          type="button"
          disabled={lapse.busy}
          aria-label={`Save the time-lapse of ${nameOf(live)} as ${form}`}
          onClick={() => lapse.run(form)}
        >
          {form}
        </button>
      ))}
      <ProblemNote error={lapse.error} />
    </div>
  );
}
