// Which moment of the trainings is looked at: one place on the axis of images seen, shared by walls and curves.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { LiveJob } from "../../api/live";
import { remember, route } from "../../router";
import { nearest, Pictures, previewAt } from "./pictures";

export interface Reel {
  /** At how many images any of the jobs has a preview, in order. */
  stops: readonly number[];
  /** The place among these that is shown. */
  index: number;
  /** Whether it follows the newest. */
  live: boolean;
  playing: boolean;
  pictures: Pictures;
  /** The preview of a job that is nearest to what is shown; null where it has none. */
  of: (job: LiveJob) => number | null;
  /** Show the moment of so many images, or follow the newest. */
  show: (images: number | null) => void;
  play: (on: boolean) => void;
}

const FRAME = 125;
/** Milliseconds of a picture while the reel plays: eight a second, as in the time-lapse. */
const REMEMBERED_AFTER = 400;
/** Milliseconds that a moment is looked at before the address names it. */
const AHEAD = [1, -1, 2, -2, 3, -3, 4, 5, 6, 7, 8];
/** Neighbours that are fetched before anybody asks for them, in this order. */

export function useReel(lives: readonly LiveJob[]): Reel {
  const pictures = useMemo(() => new Pictures(), []);
  useEffect(() => () => pictures.clear(), [pictures]);
  const [at, setAt] = useState<number | null>(asked);
  const [playing, setPlaying] = useState(false);

  const stops = [...new Set(lives.flatMap((live) => live.previews.value))].sort((a, b) => a - b);
  const shown = at === null ? stops.at(-1) : nearest(stops, at);
  const index = shown === undefined ? -1 : stops.indexOf(shown);
  const of = (job: LiveJob): number | null => nearest(job.previews.value, at ?? Number.MAX_SAFE_INTEGER) ?? null;
  const load = (stop: number | undefined): Promise<unknown> => {
    const wanted = stop === undefined ? [] : lives.map((live) => [live, nearest(live.previews.value, stop)] as const);
    const urls = wanted.flatMap(([live, images]) => (images === undefined ? [] : [previewAt(live, images)]));
    return Promise.allSettled(urls.map((url) => pictures.load(url)));
  };

  useEffect(() => {
    let on = true;
    void (async () => {
      for (const step of AHEAD) if (on) await load(stops[index + step]);
    })();
    return () => {
      on = false;
    };
  }, [index, stops.length]);

  useEffect(() => {
    if (!playing) return undefined;
    let on = true;
    const next = stops[index + 1];
    void Promise.all([load(next), new Promise((go) => setTimeout(go, FRAME))]).then(() => {
      if (!on) return;
      if (next === undefined) setPlaying(false);
      else setAt(index + 2 < stops.length ? next : null);
    });
    return () => {
      on = false;
    };
  }, [playing, index]);

  useEffect(() => {
    if (playing) return undefined;
    const timer = setTimeout(() => remember({ at }), REMEMBERED_AFTER);
    return () => clearTimeout(timer);
  }, [at, playing]);

  const show = (images: number | null): void => {
    setPlaying(false);
    setAt(images);
  };
  const play = (on: boolean): void => {
    if (on && index >= stops.length - 1) setAt(stops[0] ?? null);
    setPlaying(on);
  };
  return { stops, index, live: at === null, playing, pictures, of, show, play };
}

/** The moment that the address names. */
function asked(): number | null {
  const given = route.peek().query.get("at");
  return given && /^\d+$/.test(given) ? Number(given) : null;
}
