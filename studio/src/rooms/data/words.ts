// What a dataset is, in words.
import type { Dataset } from "../../api/client";
import { counted } from "../../ui/words";

const COLOURS: Record<number, string> = { 1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha" };

/** `1 image`, `1,797 images`. */
export function several(count: number, one: string, many = `${one}s`): string {
  return `${counted(count)} ${count === 1 ? one : many}`;
}

export function kindOf({ kind, input_channels }: Dataset): string {
  return kind === "images" && input_channels !== null ? "pairs" : (kind ?? "–");
}

/** `64 × 64`, or `2 numbers`; `–` while nobody knows. */
export function shapeOf({ kind, width, height, dims }: Dataset): string {
  if (kind === "images") return `${width} × ${height}`;
  return kind === "points" ? several(dims ?? 0, "number") : "–";
}

/** `1,797 images, 8 × 8 pixels, grey, in 10 classes`. */
export function summaryOf(dataset: Dataset): string {
  const { kind, count, channels, input_channels, classes } = dataset;
  const of =
    input_channels !== null ? several(count ?? 0, "pair") : several(count ?? 0, kind === "points" ? "point" : "image");
  const colours = kind === "images" ? coloursOf(channels, input_channels) : null;
  const shape = kind === "images" ? `${shapeOf(dataset)} pixels` : `${shapeOf(dataset)} each`;
  const grouped = classes.length ? `in ${several(classes.length, "class", "classes")}` : null;
  return [of, shape, colours, grouped].filter(Boolean).join(", ");
}

function coloursOf(channels: number | null, inputs: number | null): string {
  const own = COLOURS[channels ?? 0] ?? "";
  return inputs === null ? own : `${COLOURS[inputs] ?? ""} to ${own}`;
}
