// Series of one or several jobs as columns over one axis of images seen, which is how charts take them.
import type { LiveJob, Row } from "../../api/live";
import { COLORS, type Line } from "../../ui/chart";
import { titled } from "./words";

interface Value {
  name: string;
  label: string;
  dash?: number[];
  /** Left out of comparisons: the same on other rows. */
  aside?: boolean;
  color?: number;
}

export interface Curve {
  title: string;
  says: string;
  values: readonly Value[];
  marks?: readonly { y: number; label: string }[];
}

const DASHED = [5, 4];
const twice = (name: string): Value[] => [
  { name, label: "held-out rows" },
  { name: `${name}_train`, label: "training rows", dash: DASHED, aside: true },
];

/** What is drawn, in this order, and how to read it (docs/theory.md). */
export const CURVES: readonly Curve[] = [
  {
    title: "Losses",
    says: "What each player descends. They answer each other, so neither has to fall while pictures get better: look for one that runs away.",
    values: [
      { name: "loss_generator", label: "generator" },
      { name: "loss_discriminator", label: "discriminator", dash: DASHED, color: 1 },
    ],
  },
  {
    title: "Value of the game, V",
    says: "E log D(real) + E log(1 − D(generated)), in nats. At −log 4 the discriminator cannot tell the two apart; at its upper bound, 0, it is right everywhere.",
    values: twice("value"),
    marks: [
      { y: -Math.log(4), label: "−log 4: cannot tell" },
      { y: 0, label: "0: right everywhere" },
    ],
  },
  {
    title: "Jensen–Shannon divergence, at least",
    says: "(V + log 4) / 2, a lower bound. At log 2 real and generated are told apart without error, however near or far they lie; where training rows stand above held-out ones, the discriminator overfits.",
    values: twice("js_estimate"),
    marks: [
      { y: 0, label: "" },
      { y: Math.log(2), label: "log 2: apart" },
    ],
  },
  {
    title: "Wasserstein distance",
    says: "How far samples would have to be moved to become data: the critic's gap over the steepest slope seen, an estimate and no bound. It falls as the two approach, overlapping or not. The exact one, for points, does not reach 0 even between two samples of the same data.",
    values: [...twice("wasserstein_estimate"), { name: "wasserstein_exact", label: "exact", dash: [2, 3], color: 2 }],
    marks: [{ y: 0, label: "" }],
  },
  {
    title: "Variety",
    says: "Precision: the share of samples that look like data. Recall: the share of the data that samples reach. Diversity: how far samples lie apart, over how far data do. All three are near 1 where a model has learned its data.",
    values: [
      { name: "precision", label: "precision" },
      { name: "recall", label: "recall", dash: DASHED, color: 1 },
      { name: "diversity", label: "diversity", dash: [2, 3], color: 2 },
    ],
    marks: [{ y: 0, label: "" }],
  },
  {
    title: "Throughput",
    says: "Real images that the discriminator was shown a second. A dip is another job on the same device, or a checkpoint.",
    values: [{ name: "images_per_second", label: "images a second" }],
    marks: [{ y: 0, label: "" }],
  },
];

/** Every number of images that any of these series has a row at. */
export function axis(series: readonly (readonly Row[])[]): number[] {
  const [only, ...others] = series;
  if (only && !others.length) return only.map((row) => row.images);
  return [...new Set(series.flatMap((rows) => rows.map((row) => row.images)))].sort((a, b) => a - b);
}

function measuredAt(rows: readonly Row[], x: readonly number[], name: string): (number | null)[] {
  if (rows.length === x.length) return rows.map((row) => row[name] ?? null);
  const by = new Map(rows.map((row) => [row.images, row[name] ?? null]));
  return x.map((images) => by.get(images) ?? null);
}

const has = (rows: readonly Row[], name: string): boolean => rows.some((row) => typeof row[name] === "number");

/** The lines of a curve for which there are data. Several jobs are told apart by colour, their values by dashes. */
export function linesOf(curve: Curve, lives: readonly LiveJob[], x: readonly number[]): Line[] {
  return lives.flatMap((live, place) => {
    const rows = live.rows.value;
    const found = curve.values.filter(({ name }) => has(rows, name));
    const main = lives.length > 1 && found.some(({ aside }) => !aside) ? found.filter(({ aside }) => !aside) : found;
    return main.map(({ name, label, dash, color = 0 }) => ({
      label: lives.length > 1 ? `${nameOf(live)}: ${label}` : label,
      color: colorAt(lives.length > 1 ? place : color),
      values: measuredAt(rows, x, name),
      ...(dash && { dash }),
    }));
  });
}

export function nameOf(live: LiveJob): string {
  return live.job.value ? titled(live.job.value) : live.id;
}

export function colorAt(place: number): string {
  return COLORS[place % COLORS.length] ?? COLORS[0];
}

/** As many trainings as there are colours are told apart. */
export const MOST_TOGETHER = COLORS.length;
