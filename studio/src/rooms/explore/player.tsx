import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Film, project } from "./film";

type PlayerProps = { film: Film; pixels: string; fps: number };

/** Where a film is that runs to and fro: frame by frame forth, then back. */
export function toAndFro(position: number, frames: number): number {
  const there = frames - 1;
  const place = Math.floor(position) % (2 * there);
  return place <= there ? place : 2 * there - place;
}

/** A film under a slider. Moving it draws from what was fetched: nothing is asked of the server or made anew. */
export function Player({ film, pixels, fps }: PlayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const at = useSignal(0);
  const words = useComputed(() => `frame ${at.value + 1} of ${film.frames}`);
  const [playing, setPlaying] = useState(false);
  const show = (frame: number): void => {
    at.value = frame;
    if (canvas.current) project(film, canvas.current, frame);
  };
  useLayoutEffect(() => show(Math.min(at.peek(), film.frames - 1)), [film]);
  useEffect(() => (playing ? run(at.peek(), film.frames, fps, show) : undefined), [playing, film, fps]);
  return (
    <div class="player">
      <canvas
        ref={canvas}
        class={pixels}
        width={film.width}
        height={film.height}
        role="img"
        aria-label="A picture between A and B"
      />
      <input
        type="range"
        aria-label="Between A and B"
        aria-valuetext={words}
        min={0}
        max={film.frames - 1}
        step={1}
        value={at}
        onInput={(event) => {
          setPlaying(false);
          show(event.currentTarget.valueAsNumber);
        }}
      />
      <div class="row apart">
        <button type="button" aria-pressed={playing} onClick={() => setPlaying(!playing)}>
          {playing ? "Pause" : "Play"}
        </button>
        <span class="quiet number">{words}</span>
      </div>
    </div>
  );
}

/** Plays from a frame on, until what is returned is called. */
function run(from: number, frames: number, fps: number, show: (frame: number) => void): () => void {
  const began = performance.now();
  let shown = -1;
  let turn = requestAnimationFrame(function step(now) {
    const frame = toAndFro(from + Math.max(0, (now - began) / 1000) * fps, frames);
    if (frame !== shown) show(frame);
    shown = frame;
    turn = requestAnimationFrame(step);
  });
  return () => cancelAnimationFrame(turn);
}
