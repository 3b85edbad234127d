// The worlds of this room: seeded points whose distribution is known, and the file that carries them to the service.

export type Point = readonly [number, number];
export type Points = readonly Point[];

/** Uniform numbers in [0, 1) that a seed determines (mulberry32): the same cloud in every browser. */
export function uniform(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers, of a uniform source (Box and Muller, 1958). */
export function normal(next: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export const RADIUS = 0.25;
/** Of a disc, in units of the plane: two of them touch at a distance of twice this. */

/** `count` points, uniform on a disc around (x, 0). */
export function disc(count: number, x: number, seed: number): Points {
  const next = uniform(seed);
  return Array.from({ length: count }, () => {
    const turn = 2 * Math.PI * next();
    const far = RADIUS * Math.sqrt(next());
    return [x + far * Math.cos(turn), far * Math.sin(turn)] as const;
  });
}

/** `count` points on an upright line of length 1 through (x, 0): it has no thickness, so that two either lie on one
 * another or do not meet at all (Arjovsky 2017, example 1). */
export function line(count: number, x: number, seed: number): Points {
  const next = uniform(seed);
  return Array.from({ length: count }, () => [x, next() - 0.5] as const);
}

export const MODES = 8;
const SPREAD = 0.05;

/** `count` points of eight equal Gaussians (σ 0.05) around a circle of radius 1: a generator must find them all. */
export function ring(count: number, seed: number): Points {
  const next = uniform(seed);
  const noise = normal(next);
  return Array.from({ length: count }, () => {
    const turn = (2 * Math.PI * Math.floor(MODES * next())) / MODES;
    return [Math.cos(turn) + SPREAD * noise(), Math.sin(turn) + SPREAD * noise()] as const;
  });
}

const HEAD_UNIT = 64;
/** Bytes that a header's length is a multiple of (NumPy's format, version 1.0). */

/** Points as the bytes of a NumPy array: float32 (N, 2), little-endian. */
export function npy(points: Points): Uint8Array<ArrayBuffer> {
  const about = `{'descr': '<f4', 'fortran_order': False, 'shape': (${points.length}, 2), }`;
  const words = `${about.padEnd(Math.ceil((about.length + 11) / HEAD_UNIT) * HEAD_UNIT - 11)}\n`;
  const file = new Uint8Array(10 + words.length + 8 * points.length);
  const view = new DataView(file.buffer);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  view.setUint16(8, words.length, true);
  file.set(new TextEncoder().encode(words), 10);
  points.flat().forEach((value, i) => {
    view.setFloat32(10 + words.length + 4 * i, value, true);
  });
  return file;
}
