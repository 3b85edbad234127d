// Every figure of a training that a request may give: one row each, which says in a sentence what it does.
import type { Schemas } from "../../api/client";

type Request = Schemas["TrainRequest"];
type Elsewhere =
  | "type"
  | "dataset"
  | "model"
  | "resume_from"
  | "recipe"
  | "images"
  | "max_seconds"
  | "network"
  | "metadata";
/** What the table must have a row for: the rest of a training's request, by the compiler. */
export type FieldName = Exclude<keyof Request, Elsewhere> | `network.${keyof Schemas["NetworkRequest"]}`;
export type Group = "game" | "network" | "optimiser" | "data" | "record";

export interface Setting {
  group: Group;
  label: string;
  about: string;
  /** `number` unless said; `numbers` are separated by commas. */
  kind?: "numbers" | "yes" | readonly string[];
  /** What is shown where nothing is set: the server decides by the clock. */
  unset?: string;
  /** What it is where neither the person nor the spec says. */
  usual?: string;
}

export const GROUPS: Readonly<Record<Group, { title: string; about: string }>> = {
  game: { title: "The game", about: "What the two players minimise, and what keeps the discriminator in bounds." },
  network: { title: "Networks", about: "How large both players are, and what the generator is given." },
  optimiser: { title: "Optimiser", about: "How large the steps are, and which averages of the generator are kept." },
  data: { title: "Data", about: "What is made of the examples before the discriminator sees them." },
  record: { title: "Record-keeping", about: "What is kept of the training, and when it has its turn." },
};

const METRICS = [
  ...["fid", "precision", "recall", "density", "coverage", "sliced_wasserstein", "wasserstein_exact"],
  ...["js_estimate", "wasserstein_estimate"],
];

export const SETTINGS: Readonly<Record<FieldName, Setting>> = {
  loss: {
    group: "game",
    label: "Loss",
    about: "The objective that both players are trained by.",
    kind: ["minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic"],
  },
  lipschitz: {
    group: "game",
    label: "Lipschitz control",
    about: "What keeps the discriminator from growing arbitrarily steep.",
    kind: ["none", "weight_clipping", "gradient_penalty", "spectral_norm"],
  },
  clip: { group: "game", label: "Clip", about: "Bound of every weight; goes with weight clipping." },
  gradient_penalty: {
    group: "game",
    label: "Gradient penalty λ",
    about: "Weight of the pull of the critic's gradient towards norm 1; goes with that control.",
  },
  r1: { group: "game", label: "R1 γ", about: "Penalty on the discriminator's gradient at real data." },
  r2: { group: "game", label: "R2 γ", about: "The same at generated data." },
  critic_steps: { group: "game", label: "Critic steps", about: "Discriminator steps to one of the generator." },
  shared_batch: {
    group: "game",
    label: "Shared batch",
    about: "Whether the generator's step sees the very latents of the discriminator's last, or fresh ones.",
    kind: "yes",
  },
  l1: {
    group: "game",
    label: "L1 weight",
    about: "For pairs: pull towards the target itself, which makes z matter less.",
  },
  "network.architecture": {
    group: "network",
    label: "Architecture",
    about: "The kind of network that both players are.",
    kind: ["mlp", "dcgan", "plain", "resnet", "r3", "unet"],
  },
  "network.width": {
    group: "network",
    label: "Width",
    about: "Channels of the base; twice as wide is about four times the work.",
  },
  "network.latent_dim": {
    group: "network",
    label: "Latent numbers",
    about: "Numbers of z, from which a sample is made.",
  },
  "network.latent_distribution": {
    group: "network",
    label: "Latent distribution",
    about: "What z is drawn from.",
    kind: ["normal", "uniform"],
  },
  optimizer: { group: "optimiser", label: "Optimiser", about: "The rule of each step.", kind: ["adam", "rmsprop"] },
  learning_rate: { group: "optimiser", label: "Learning rate", about: "The size of each step of both players." },
  betas: {
    group: "optimiser",
    label: "Betas",
    about: "How long Adam remembers gradients and their squares: two numbers below 1.",
    kind: "numbers",
  },
  batch_size: { group: "optimiser", label: "Batch size", about: "Examples in each step." },
  ema_halflife: {
    group: "optimiser",
    label: "Average's half-life",
    about: "Images over which the average that draws by default forgets half; 0 draws with the generator as it is.",
  },
  ema_halflives: {
    group: "optimiser",
    label: "Averages kept",
    about: "Half-lives of all averages that are kept to choose from, in images.",
    kind: "numbers",
  },
  seed: {
    group: "optimiser",
    label: "Seed",
    about: "What all draws come from; the same seed is the same training again.",
  },
  conditional: {
    group: "data",
    label: "Conditional",
    about: "Whether the classes or conditions of the data are learned, so that one may be asked for.",
    kind: "yes",
  },
  augment: {
    group: "data",
    label: "Augmentation",
    about: "Moves and recolours what the discriminator sees, so that it cannot learn a small set by heart.",
    kind: ["auto", "none", "diffaugment", "ada"],
  },
  holdout: {
    group: "data",
    label: "Held out",
    about: "Share of the rows that are never trained on, for honest estimates: 0 to 0.5.",
  },
  metric: {
    group: "record",
    label: "Best by",
    about: "What the best checkpoint is judged by; images have fid, points wasserstein_exact.",
    kind: METRICS,
  },
  checkpoint_every: {
    group: "record",
    label: "Checkpoint every",
    about: "Images between two checkpoints.",
    unset: "by the clock",
  },
  preview_every: {
    group: "record",
    label: "Preview every",
    about: "Images between two previews of the same seeds.",
    unset: "by the clock",
  },
  keep_checkpoints: { group: "record", label: "Newest kept", about: "Checkpoints that stay, the newest ones." },
  keep_best: { group: "record", label: "Best kept", about: "Checkpoints that stay beside those, the best ones." },
  priority: {
    group: "record",
    label: "Priority",
    about: "−100 to 100; of what waits, the highest goes first. What runs is not interrupted.",
    usual: "0",
  },
};

export const FIELDS = Object.keys(SETTINGS) as readonly FieldName[];

/** What a person wrote, as the request has it. What is no number goes as it is: the server says what it should be. */
export function readAs(setting: Setting, text: string): unknown {
  const { kind } = setting;
  if (kind === "yes") return text === "yes";
  if (kind === "numbers")
    return text
      .split(",")
      .filter((part) => part.trim())
      .map(numberOf);
  return kind ? text : numberOf(text);
}

function numberOf(text: string): number | string {
  const number = Number(text);
  return text.trim() && Number.isFinite(number) ? number : text.trim();
}

/** A value of a spec as a person would write it; empty for what is left to the clock. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Array.isArray(value) ? value.join(", ") : `${value}`;
}

/** The value at a dotted name. */
export function at(spec: Record<string, unknown>, field: string): unknown {
  return field
    .split(".")
    .reduce<unknown>((inside, name) => (inside as Record<string, unknown> | undefined)?.[name], spec);
}

const ELSEWHERE: Readonly<Record<string, string>> = {
  dataset: "Data",
  model: "Model name",
  resume_from: "Begins with",
  recipe: "Recipe",
  images: "Budget",
  max_seconds: "Budget",
};

/** What a field of the request is called on the page, or an entry of it; undefined for what the page does not have. */
export function labelOf(field: string): string | undefined {
  return (SETTINGS as Record<string, Setting>)[field]?.label ?? ELSEWHERE[field] ?? withoutEntry(field);
}

function withoutEntry(field: string): string | undefined {
  return /\.\d+$/.test(field) ? labelOf(field.replace(/\.\d+$/, "")) : undefined;
}
