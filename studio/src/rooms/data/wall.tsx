import { useEffect, useRef, useState } from "preact/hooks";
import { type Dataset, get, type Schemas } from "../../api/client";
import { Dialog } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted } from "../../ui/words";
import { several } from "./words";

type Page = Schemas["DatasetImages"];
type Image = Page["data"][number];
type Sheet = NonNullable<Page["sheet"]>;

/** An image of the wall, and where on its page's sheet it is. */
interface Tile {
  image: Image;
  sheet: Sheet;
  place: number;
}

const PAGE = 100;
/** So many come by themselves as the reader scrolls; further ones when asked for, so that the page stays light. */
const BY_ITSELF = 1_000;
/** Images up to this many pixels a side are drawn as squares: their pixels are meant to be seen. */
const PIXEL_ART = 32;

type WallProps = { dataset: Dataset; label: string | null; all: () => void };

export function Wall({ dataset, label, all }: WallProps) {
  const { tiles, total, more, busy, error, next } = usePages(dataset.id, label);
  const [open, setOpen] = useState<number | null>(null);
  const list = useRef<HTMLUListElement>(null);
  const close = (): void => {
    const back = open;
    setOpen(null);
    if (back !== null) focus(list.current, back);
  };
  return (
    <section class="stack" aria-label="Images">
      <div class="row apart">
        <h2 aria-live="polite">{headingOf(label, total)}</h2>
        {label !== null && (
          <button type="button" class="plain" onClick={all}>
            Show all classes
          </button>
        )}
      </div>
      <Tiles list={list} tiles={tiles} open={setOpen} />
      <ProblemNote error={error} retry={next} />
      {more && !error && <More busy={busy} shown={tiles.length} next={next} />}
      {open !== null && tiles[open] && (
        <Close tile={tiles[open]} at={open} count={tiles.length} show={setOpen} close={close} />
      )}
    </section>
  );
}

function headingOf(label: string | null, total: number | null): string {
  if (total === null) return "Images";
  return label === null ? `All ${several(total, "image")}` : `Class ${label}: ${several(total, "image")}`;
}

// ---- pages ----

interface Pages {
  tiles: readonly Tile[];
  total: number | null;
  more: boolean;
}

/** The images of a dataset, page after page, evenly spread over all of it. */
function usePages(id: string, label: string | null) {
  const [pages, setPages] = useState<Pages>({ tiles: [], total: null, more: true });
  const [error, setError] = useState<Error | null>(null);
  const asking = useRef<AbortController | null>(null);
  const next = (): void => {
    if (asking.current) return;
    const call = new AbortController();
    asking.current = call;
    setError(null);
    const query = { order: "spread", limit: PAGE, label, after: pages.tiles.at(-1)?.image.index };
    get<Page>(`/v1/datasets/${id}/images`, query, call.signal)
      .then((page) => setPages((last) => grown(last, page)))
      .catch((error: Error) => call.signal.aborted || setError(error))
      .finally(() => {
        asking.current = null;
      });
  };
  useEffect(() => {
    next();
    return () => asking.current?.abort();
  }, []);
  return { ...pages, busy: asking.current !== null, error, next };
}

function grown({ tiles }: Pages, { data, sheet, total, has_more }: Page): Pages {
  const added = sheet ? data.map((image, place) => ({ image, sheet, place })) : [];
  return { tiles: [...tiles, ...added], total, more: has_more };
}

/** Asks for the next page as it comes into view, and is a button for all others. */
function More({ busy, shown, next }: { busy: boolean; shown: number; next: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (shown >= BY_ITSELF || !button.current) return undefined;
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && next(), { rootMargin: "800px" });
    seen.observe(button.current);
    return () => seen.disconnect();
  }, [shown]);
  return (
    <div>
      <button ref={button} type="button" onClick={next} disabled={busy && shown >= BY_ITSELF}>
        Show more
      </button>
    </div>
  );
}

// ---- tiles ----

type TilesProps = {
  list: { current: HTMLUListElement | null };
  tiles: readonly Tile[];
  open: (at: number) => void;
};

/** One of the tiles is in the tab order; arrow keys go to the others. */
function Tiles({ list, tiles, open }: TilesProps) {
  const [current, setCurrent] = useState(0);
  return (
    <ul
      ref={list}
      class="wall data-wall"
      onKeyDown={(event) => {
        const to = moved(event.key, current, tiles.length, columnsOf(event.currentTarget));
        if (to === null) return;
        event.preventDefault();
        focus(event.currentTarget, to);
      }}
    >
      {tiles.map((tile, at) => (
        <li key={tile.image.index}>
          <button
            type="button"
            class={`data-tile ${isSmall(tile.sheet) ? "pixels" : ""}`}
            style={cut(tile)}
            aria-label={nameOf(tile.image)}
            tabIndex={at === current ? 0 : -1}
            onFocus={() => setCurrent(at)}
            onClick={() => open(at)}
          />
        </li>
      ))}
    </ul>
  );
}

function focus(list: HTMLUListElement | null, at: number): void {
  list?.children[at]?.querySelector("button")?.focus();
}

function columnsOf(list: HTMLUListElement): number {
  return getComputedStyle(list).gridTemplateColumns.split(" ").length;
}

/** Where a key leads from a tile; null where it leads nowhere. */
function moved(key: string, from: number, count: number, columns: number): number | null {
  const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const ends: Record<string, number> = { Home: 0, End: count - 1 };
  const to = ends[key] ?? from + (steps[key] ?? Number.NaN);
  return to >= 0 && to < count ? to : null;
}

function nameOf({ index, label }: Image): string {
  return label === null ? `Image ${counted(index)}` : `Image ${counted(index)}, class ${label}`;
}

function isSmall({ width, height }: Sheet): boolean {
  return Math.max(width, height) <= PIXEL_ART;
}

/** The part of its sheet that a tile shows. In percent, so that it fits whatever size tiles have. */
function cut({ sheet, place }: Tile): Record<string, string> {
  const { url, columns, rows, width, height } = sheet;
  const at = (place: number, count: number): string => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;
  return {
    aspectRatio: `${width} / ${height}`,
    backgroundImage: `url("${url}")`,
    backgroundSize: `${columns * 100}% ${rows * 100}%`,
    backgroundPosition: `${at(place % columns, columns)} ${at(Math.floor(place / columns), rows)}`,
  };
}

// ---- close up ----

type CloseProps = { tile: Tile; at: number; count: number; show: (at: number) => void; close: () => void };

function Close({ tile: { image, sheet }, at, count, show, close }: CloseProps) {
  const go = (step: number): void => {
    if (at + step >= 0 && at + step < count) show(at + step);
  };
  useEffect(() => {
    const turn = ({ key }: KeyboardEvent): void => go(Number(key === "ArrowRight") - Number(key === "ArrowLeft"));
    addEventListener("keydown", turn);
    return () => removeEventListener("keydown", turn);
  }, [at, count]);
  return (
    <Dialog title={nameOf(image)} close={close}>
      <img class={`data-close ${isSmall(sheet) ? "pixels" : ""}`} src={image.url} alt={nameOf(image)} />
      {image.condition && <p class="mono">{image.condition.map((number) => +number.toPrecision(4)).join(", ")}</p>}
      <div class="row">
        <button type="button" disabled={at === 0} onClick={() => go(-1)}>
          Previous
        </button>
        <button type="button" disabled={at + 1 >= count} onClick={() => go(1)}>
          Next
        </button>
        <a class="button" href={image.url} download={`${image.index}.png`}>
          Download
        </a>
      </div>
    </Dialog>
  );
}
