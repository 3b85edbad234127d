// What a set of trainings shows, at any share of them, and in words once it has ended.
import { type LiveJob, type Row, TERMINAL } from "../../api/live";
import { measured } from "../../ui/words";

const LOG_2 = Math.log(2);

/** How many images a training will have seen at its end, as far as that can be told now. */
export function total({ job, rows }: LiveJob): number {
  const progress = job.value?.progress;
  const seen = progress?.images ?? rows.value.at(-1)?.images ?? 0;
  if (job.value && TERMINAL.has(job.value.status)) return seen;
  if (progress?.total_images) return progress.total_images;
  return progress?.percent ? (100 * seen) / progress.percent : seen;
}

/** The last of `sorted` that is not beyond `share` of a training; the newest for a share of 1. */
export function upTo<T>(sorted: readonly T[], images: (one: T) => number, share: number, whole: number): T | undefined {
  if (share >= 1) return sorted.at(-1);
  return sorted.filter((one) => images(one) <= share * whole).at(-1);
}

export interface Told {
  recipe: string;
  status: string;
  last: Row | undefined;
}

export function told(live: readonly LiveJob[]): Told[] {
  return live.map(({ job, rows }) => ({
    recipe: job.value?.metadata.recipe ?? "",
    status: job.value?.status ?? "",
    last: rows.value.at(-1),
  }));
}

type Sentence = (all: readonly Told[]) => string | null;

/** Each says one thing that the numbers show, or nothing where they do not. */
const SENTENCES: readonly Sentence[] = [unended, nearest, reach, apart, fading];

export function sentences(all: readonly Told[]): string[] {
  return SENTENCES.map((say) => say(all)).filter((said) => said !== null);
}

function unended(all: readonly Told[]): string | null {
  const not = all.filter(({ status }) => TERMINAL.has(status) && status !== "succeeded");
  return not.length
    ? `${list(not.map(({ recipe, status }) => `${recipe} (${status})`))} did not come to the end.`
    : null;
}

function nearest(all: readonly Told[]): string | null {
  const ranked = by(all, "wasserstein_exact");
  const [first, last] = [ranked[0], ranked.at(-1)];
  if (!first || !last || first === last) return null;
  return (
    `Nearest to the data is ${first.recipe}, with an exact Wasserstein distance of ${measured(first.value)}; ` +
    `farthest is ${last.recipe}, with ${measured(last.value)}.`
  );
}

function reach(all: readonly Told[]): string | null {
  const few = by(all, "recall").filter(({ value }) => value < 0.9);
  if (!by(all, "recall").length) return null;
  if (!few.length) return "All of them reach at least 90 % of the data (recall): no part of the ring is left out.";
  return `Parts of the ring are not reached by ${list(few.map(withShare))} of the data (recall).`;
}

function apart(all: readonly Told[]): string | null {
  const sure = by(all, "js_estimate").filter(({ value }) => value > 0.8 * LOG_2);
  if (!sure.length) return null;
  return (
    `For ${list(sure.map(({ recipe }) => recipe))} the discriminator tells nearly all points apart: the divergence is ` +
    "within a fifth of log 2, and says little about how far there is to go."
  );
}

function fading(all: readonly Told[]): string | null {
  const slopes = new Map(by(all, "gradient_norm_generator").map(({ recipe, value }) => [recipe, value]));
  const [plain, turned] = [slopes.get("minimax"), slopes.get("dcgan")];
  if (plain === undefined || turned === undefined) return null;
  return `The generator’s gradient at the end: ${measured(plain)} with minimax, ${measured(turned)} with dcgan, whose loss is turned round.`;
}

/** Who has that number, the smallest first. */
function by(all: readonly Told[], name: string): { recipe: string; value: number }[] {
  return all
    .map(({ recipe, last }) => ({ recipe, value: last?.[name] }))
    .filter((one): one is { recipe: string; value: number } => typeof one.value === "number")
    .sort((a, b) => a.value - b.value);
}

function withShare({ recipe, value }: { recipe: string; value: number }): string {
  return `${recipe} (${Math.round(100 * value)} %)`;
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
