import { type Signal, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Drawing, pictureAddress } from "./drawing";
import { type Picture, pixelated } from "./found";

/** The seeds that are in sight: `columns` × `rows` of them from `seed` on. */
export interface View {
  seed: number;
  columns: number;
  rows: number;
}

type WallProps = {
  drawing: Drawing;
  picture: Picture;
  /** The seed that the wall begins with. */
  first: number;
  /** Width of a tile in CSS pixels, at least. */
  tile: number;
  picked: number | null;
  view: Signal<View>;
  pick: (seed: number) => void;
  /** `a` or `b` was pressed on a seed. */
  end: (which: "a" | "b", seed: number) => void;
  /** A picture did not come. */
  failed: (address: string) => void;
  /** Raised to ask again for pictures that did not come. */
  turn: number;
};

const GAP = 4;
/** Rows beyond what is seen on either side, so that scrolling finds them there. */
const AROUND = 4;
/** The wall has no end: it grows by so many rows whenever the reader comes near to it. */
const GROWTH = 100;

/** Pictures that come into the page in one frame: making one takes half a millisecond, and a frame has sixteen. */
const TOGETHER = 24;

interface Measure {
  columns: number;
  /** Height of a row with its gap, in CSS pixels. */
  row: number;
  height: number;
}

function measured(box: HTMLElement, tile: number): Measure {
  const width = box.clientWidth;
  const columns = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
  return { columns, row: (width + GAP) / columns, height: box.clientHeight };
}

/** A box's columns and rows, measured whenever its size changes, and at first when it has one; no height until then. */
function useMeasure(tile: number): { box: { current: HTMLDivElement | null }; measure: Measure } {
  const box = useRef<HTMLDivElement>(null);
  const [measure, setMeasure] = useState<Measure>({ columns: 1, row: tile, height: 0 });
  useLayoutEffect(() => {
    const place = box.current;
    if (!place) return undefined;
    const watch = new ResizeObserver(() => setMeasure(measured(place, tile)));
    watch.observe(place);
    return () => watch.disconnect();
  }, [tile]);
  return { box, measure };
}

const MOVES: Record<string, (columns: number, rows: number) => number> = {
  ArrowRight: () => 1,
  ArrowLeft: () => -1,
  ArrowDown: (columns) => columns,
  ArrowUp: (columns) => -columns,
  PageDown: (columns, rows) => columns * rows,
  PageUp: (columns, rows) => -columns * rows,
  Home: () => -Infinity,
};

type Range = readonly [first: number, end: number];

/** The next rows that stand in the page on the way from `now` to `wanted`: `step` more below, else above. */
function towards([low, high]: Range, [begin, end]: Range, top: number, step: number): Range {
  const [from, to] = low > end || high < begin ? [top, top] : [Math.max(low, begin), Math.min(high, end)];
  return to < end ? [from, Math.min(end, to + step)] : [Math.max(begin, from - step), to];
}

/** The rows that stand in the page: each frame a few more of those that are wanted, from `top` on. */
function useGradually(begin: number, end: number, top: number, step: number): Range {
  const stood = useRef<Range>([top, top]);
  const [, again] = useState(0);
  const rows = towards(stood.current, [begin, end], top, step);
  useEffect(() => {
    stood.current = rows;
    if (step === 0 || (rows[0] === begin && rows[1] === end)) return undefined;
    const frame = requestAnimationFrame(() => again((turn) => turn + 1));
    return () => cancelAnimationFrame(frame);
  });
  return rows;
}

/** Seeds without end, of which only those near to what is seen stand in the page. */
export function Wall({ drawing, picture, first, tile, picked, view, pick, end, failed, turn }: WallProps) {
  const { box, measure } = useMeasure(tile);
  const { columns, row, height } = measure;
  const rows = Math.max(1, Math.floor((height + GAP) / row));
  const [top, setTop] = useState(0);
  const [grown, setGrown] = useState(GROWTH);
  const [at, setAt] = useState(0);
  const moved = useRef(false);
  const list = useRef<HTMLUListElement>(null);
  const begin = Math.max(0, top - AROUND);
  const ending = top + rows + 1 + AROUND;
  const [low, high] = useGradually(begin, ending, top, height && Math.ceil(TOGETHER / columns));

  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setAt(0);
  }, [first]);
  useEffect(() => {
    view.value = { seed: first + top * columns, columns, rows };
    if (ending > grown - GROWTH / 2) setGrown(ending + GROWTH);
  }, [first, top, columns, rows]);
  useLayoutEffect(() => {
    if (!moved.current) return;
    const next = box.current?.querySelector<HTMLElement>(`[data-seed="${first + at}"]`);
    if (next) moved.current = false;
    // until the tile stands in the page the list hears the keys: the tile that had the focus may be gone
    (next ?? list.current)?.focus({ preventScroll: true });
  }, [at, top, low, high]);

  const move = (event: KeyboardEvent): void => {
    if (event.key === "a" || event.key === "b") end(event.key, first + at);
    const step = MOVES[event.key]?.(columns, rows);
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.max(0, at + step);
    moved.current = true;
    setAt(next);
    setTop(reveal(box.current, Math.floor(next / columns), row, height));
  };
  const inSight = at >= low * columns && at < high * columns;
  const tabbed = inSight ? at : top * columns;
  const places = Array.from({ length: (high - low) * columns }, (_, i) => low * columns + i);
  return (
    <div class="explore-wall" ref={box} onScroll={(event) => setTop(Math.floor(event.currentTarget.scrollTop / row))}>
      <div style={{ height: `${grown * row}px` }}>
        <ul
          aria-label="Seeds"
          ref={list}
          tabIndex={-1}
          style={{ transform: `translateY(${low * row}px)`, gridTemplateColumns: `repeat(${columns}, 1fr)` }}
          onKeyDown={move}
        >
          {places.map((place) => (
            <Tile
              key={place}
              seed={first + place}
              src={pictureAddress(drawing, first + place, format(picture), sizeFor(picture, tile))}
              pixels={pixelated(picture)}
              pressed={first + place === picked}
              tabbed={place === tabbed}
              pick={pick}
              focused={() => setAt(place)}
              failed={failed}
              turn={turn}
            />
          ))}
        </ul>
      </div>
    </div>
  );
}

/** Scroll a row into sight, at once; returns the first row that is then seen. */
function reveal(box: HTMLElement | null, place: number, row: number, height: number): number {
  if (!box) return place;
  if (place * row < box.scrollTop) box.scrollTop = place * row;
  else if ((place + 1) * row > box.scrollTop + height) box.scrollTop = (place + 1) * row - height;
  return Math.floor(box.scrollTop / row);
}

/** Small pictures as they are; large ones in a format that makes less of them. */
function format(picture: Picture): string {
  return pixelated(picture) ? "png" : "webp";
}

/** The size to ask for: as it is made, unless that is far more than a tile shows. */
function sizeFor(picture: Picture, tile: number): number | null {
  const needed = Math.ceil((tile * Math.min(2, devicePixelRatio)) / 64) * 64;
  return Math.max(picture.width, picture.height) > 2 * needed ? needed : null;
}

type TileProps = {
  seed: number;
  src: string;
  pixels: string;
  pressed: boolean;
  tabbed: boolean;
  pick: (seed: number) => void;
  focused: () => void;
  failed: (address: string) => void;
  turn: number;
};

function Tile({ seed, src, pixels, pressed, tabbed, pick, focused, failed, turn }: TileProps) {
  return (
    <li>
      <button
        type="button"
        class="tile"
        data-seed={seed}
        aria-label={`Seed ${seed}`}
        aria-pressed={pressed}
        tabIndex={tabbed ? 0 : -1}
        onClick={() => pick(seed)}
        onFocus={focused}
      >
        <img key={turn} class={pixels} src={src} alt="" decoding="async" onError={() => failed(src)} />
      </button>
    </li>
  );
}

export function useView(): Signal<View> {
  return useMemo(() => signal({ seed: 0, columns: 8, rows: 4 }), []);
}
