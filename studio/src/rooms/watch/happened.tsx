import type { LiveJob } from "../../api/live";
import { counted } from "../../ui/words";
import type { Reel } from "./reel";
import { colorAt, nameOf } from "./series";
import { Chip } from "./wall";
import { type Happening, happenings } from "./words";

/** Warnings, recoveries and the like in words; each leads to its moment. */
export function Happened({ lives, reel }: { lives: readonly LiveJob[]; reel: Reel }) {
  const told = lives.map((live) => happenings(live.events.value));
  if (!told.some((list) => list.length)) return null;
  return (
    <section class="card stack" aria-label="What happened">
      <h2>What happened</h2>
      {lives.map(
        (live, place) =>
          (told[place]?.length ?? 0) > 0 && (
            <div key={live.id}>
              {lives.length > 1 && (
                <h3 class="row">
                  <Chip color={colorAt(place)} /> {nameOf(live)}
                </h3>
              )}
              <ol class="happened" aria-live="polite">
                {told[place]?.map((one) => (
                  <One key={one.id} one={one} show={reel.show} />
                ))}
              </ol>
            </div>
          ),
      )}
    </section>
  );
}

function One({ one, show }: { one: Happening; show: (images: number) => void }) {
  const { images, mood, title, text } = one;
  return (
    <li class={mood}>
      <div class="row apart">
        <strong>{title}</strong>
        {images !== null && (
          <button type="button" class="plain number" onClick={() => show(images)}>
            at {counted(images)} images
          </button>
        )}
      </div>
      {text && <p>{text}</p>}
    </li>
  );
}
