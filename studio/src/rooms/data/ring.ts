// An example for those who have no data at hand: eight Gaussians on a ring, made here and the same every time.
import type { Source } from "./gather";

export const RING = "ring-of-points";

const MODES = 8;
const POINTS = 4_000;
const RADIUS = 2;
const SPREAD = 0.08;

/** Uniform numbers in [0, 1), by mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Two independent normal numbers (Box and Muller, 1958). */
function normals(random: () => number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  const angle = 2 * Math.PI * random();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** The points as CSV: columns x and y, radius 2, standard deviation 0.08 around each of the eight. */
export function ring(seed = 0): string {
  const random = uniform(seed);
  const rows = Array.from({ length: POINTS }, (_, index) => {
    const angle = (2 * Math.PI * (index % MODES)) / MODES;
    const [dx, dy] = normals(random);
    return [RADIUS * Math.cos(angle) + SPREAD * dx, RADIUS * Math.sin(angle) + SPREAD * dy];
  });
  return `x,y\n${rows.map((row) => row.map((number) => number.toFixed(5)).join(",")).join("\n")}\n`;
}

export function ringSource(): Source {
  const file = new File([ring()], `${RING}.csv`, { type: "text/csv" });
  return { kind: "points", name: RING, files: [{ path: file.name, file }], left: [] };
}
