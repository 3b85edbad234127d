import { useMemo } from "preact/hooks";
import { ask } from "../../api/client";
import type { LiveJob, Row } from "../../api/live";
import { Chart } from "../../ui/chart";
import { useDo } from "../../ui/load";
import { Scroll, save } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted, measured } from "../../ui/words";
import type { Reel } from "./reel";
import { axis, CURVES, type Curve, linesOf, nameOf } from "./series";
import { happenings, named } from "./words";

/** What was measured, over one axis of images seen: a chart for each question, and how to read it. */
export function Curves({ lives, reel }: { lives: readonly LiveJob[]; reel: Reel }) {
  const series = lives.map((live) => live.rows.value);
  const x = useMemo(() => axis(series), series);
  const moments = useMemo(() => lives.flatMap(warned), [...lives.map((live) => live.events.value)]);
  const end = Math.max(x.at(-1) ?? 1, reel.stops.at(-1) ?? 1);
  const shown = { x, end, moments, at: reel.stops[reel.index] ?? null, onPick: reel.show };
  if (!x.length) return <p class="quiet">Curves begin with the first report.</p>;
  return (
    <section class="stack" aria-label="Curves">
      <div class="curves">
        {CURVES.map((curve) => (
          <OneCurve key={curve.title} curve={curve} lives={lives} {...shown} />
        ))}
      </div>
      <Numbers lives={lives} />
    </section>
  );
}

function warned(live: LiveJob): { x: number; label: string }[] {
  return happenings(live.events.value).flatMap(({ mood, images, title }) =>
    mood === "warn" && images !== null ? [{ x: images, label: title }] : [],
  );
}

interface Shown {
  x: readonly number[];
  /** The last number of images of the axis. */
  end: number;
  moments: readonly { x: number; label: string }[];
  at: number | null;
  onPick: (images: number) => void;
}

function OneCurve({ curve, lives, x, end, moments, at, onPick }: { curve: Curve; lives: readonly LiveJob[] } & Shown) {
  const names = lives.map(nameOf).join("|");
  const lines = useMemo(() => linesOf(curve, lives, x), [x, names]);
  if (!lines.length) return null;
  return (
    <div class="card curve">
      <Chart
        title={curve.title}
        x={x}
        xLabel="images seen"
        lines={lines}
        height={220}
        sync="watch"
        xRange={[0, end]}
        moments={moments}
        at={at}
        onPick={onPick}
        {...(curve.marks && { marks: curve.marks })}
      />
      <p class="quiet">{curve.says}</p>
    </div>
  );
}

/** The newest row of each series, for who would rather read than look. */
function Numbers({ lives }: { lives: readonly LiveJob[] }) {
  const newest = lives.map((live) => live.rows.value.at(-1));
  const names = [...new Set(newest.flatMap((row) => Object.keys(row ?? {})))].filter((name) => name !== "images");
  return (
    <details class="card numbers">
      <summary>Numbers</summary>
      <div class="stack">
        <Scroll label="The newest numbers">
          <table>
            <caption class="hidden-text">The newest row of each series</caption>
            <thead>
              <tr>
                <th scope="col">measured</th>
                {lives.map((live) => (
                  <th key={live.id} scope="col" class="number">
                    {nameOf(live)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <Cells name="reports" cells={lives.map((live) => counted(live.rows.value.length))} />
              <Cells name="images" cells={newest.map((row) => (row ? counted(row.images) : "–"))} />
              {names.map((name) => (
                <Cells key={name} name={name} cells={newest.map((row?: Row) => measured(row?.[name]))} />
              ))}
            </tbody>
          </table>
        </Scroll>
        <div class="row">
          {lives.map((live) => (
            <Csv key={live.id} live={live} />
          ))}
        </div>
      </div>
    </details>
  );
}

function Cells({ name, cells }: { name: string; cells: readonly string[] }) {
  return (
    <tr>
      <th scope="row">{name.replaceAll("_", " ")}</th>
      {cells.map((cell, place) => (
        <td key={place} class="number">
          {cell}
        </td>
      ))}
    </tr>
  );
}

function Csv({ live }: { live: LiveJob }) {
  const table = useDo(async () => {
    const answer = await ask(`/v1/jobs/${live.id}/metrics`, { accept: "text/csv" });
    save(await answer.blob(), `${live.job.value ? named(live.job.value) : live.id}-series.csv`);
  });
  return (
    <>
      <button type="button" disabled={table.busy} onClick={() => table.run()}>
        Save the series of {nameOf(live)} as CSV
      </button>
      <ProblemNote error={table.error} />
    </>
  );
}
