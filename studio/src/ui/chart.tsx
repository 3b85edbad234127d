import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../shell/theme";
import { inTurn } from "./turns";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  color: string;
  /** One a point of `x`; null where nothing was measured. */
  values: readonly (number | null)[];
  dash?: number[];
  /** Whether each point has a dot: where they are few, and measured one by one. */
  dots?: boolean;
}

export interface ChartProps {
  title: string;
  x: readonly number[];
  xLabel: string;
  lines: readonly Line[];
  height?: number;
  /** Charts of the same word show the cursor at the same x. */
  sync?: string;
  /** Horizontal lines with a name, always in view: a bound, say; without a name, a height that is in view alone. */
  marks?: readonly { y: number; label: string }[];
  /** The x values where something happened. */
  moments?: readonly { x: number; label: string }[];
  /** The ends of the x axis, where several charts share one; else those of the data. */
  xRange?: readonly [number, number];
  /** An x to be pointed at: what another part of the page shows. */
  at?: number | null;
  /** Called with the x that was clicked. */
  onPick?: (x: number) => void;
}

const HEIGHT = 200;
const DARK = matchMedia("(prefers-color-scheme: dark)");

type Newest = { readonly current: ChartProps };

/** Lines over a shared axis. A canvas: who cannot see it has the same numbers as a table elsewhere on the page. */
export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const key = props.lines.map((line) => `${line.label} ${line.color}`).join("|");

  useEffect(() => {
    const box = place.current;
    if (!box) return undefined;
    let undo = (): void => undefined;
    const drop = inTurn(() => {
      const made = new uPlot(optionsOf(newest, box), dataOf(newest.current), box);
      plot.current = made;
      undo = keptInShape(made, box, newest);
    });
    return () => {
      drop();
      undo();
      plot.current = null;
    };
  }, [key, props.title]);

  useEffect(() => {
    plot.current?.setData(dataOf(newest.current));
  }, [props.x, props.lines, props.xRange?.[0], props.xRange?.[1]]);

  useEffect(() => {
    plot.current?.redraw(false);
  }, [props.marks, props.moments, props.at, theme.value]);

  return (
    <figure class="chart" aria-label={`${props.title}: ${props.lines.map((line) => line.label).join(", ")}`}>
      <figcaption class="label">{props.title}</figcaption>
      <div ref={place} style={{ minHeight: `${props.height ?? HEIGHT}px` }} />
    </figure>
  );
}

/** Keep a plot as wide as its box and in the colours of the page, until the function that is returned is called. */
function keptInShape(plot: uPlot, box: HTMLElement, newest: Newest): () => void {
  const sizes = new ResizeObserver(() => {
    const [width, height] = [box.clientWidth, newest.current.height ?? HEIGHT];
    if (width !== plot.width || height !== plot.height) plot.setSize({ width, height });
  });
  sizes.observe(box);
  const redraw = (): void => plot.redraw();
  DARK.addEventListener("change", redraw);
  return () => {
    sizes.disconnect();
    DARK.removeEventListener("change", redraw);
    plot.destroy();
  };
}

function dataOf({ x, lines }: ChartProps): uPlot.AlignedData {
  return [x as number[], ...lines.map((line) => line.values as (number | null)[])];
}

const shades = new Map<string, string>();

/** A custom property's colour as it stands, light or dark: canvases know no properties. */
export function shade(name: string): string {
  const key = `${name} ${theme.value} ${DARK.matches}`;
  const known = shades.get(key) ?? computed(name);
  shades.set(key, known);
  return known;
}

function computed(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** The ends of the y axis: marks are in view, also where there is no data yet. */
function heights(marks: ChartProps["marks"] = [], low: number | null, high: number | null): [number, number] {
  const all = [low, high, ...marks.map(({ y }) => y)].filter((y) => y !== null && Number.isFinite(y)) as number[];
  const [min, max] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  const room = (max - min) * 0.08 || Math.abs(max) * 0.1 || 1;
  return [min === 0 ? 0 : min - room, max + room];
}

function picking(newest: Newest): (plot: uPlot) => void {
  return (plot) =>
    plot.over.addEventListener("click", () => {
      const { left = -1 } = plot.cursor;
      if (left >= 0) newest.current.onPick?.(plot.posToVal(left, "x"));
    });
}

function optionsOf(newest: Newest, box: HTMLElement): uPlot.Options {
  const props = newest.current;
  const axis = (): uPlot.Axis => ({
    stroke: () => shade("--quiet"),
    grid: { stroke: () => shade("--line"), width: 1 },
    ticks: { stroke: () => shade("--line"), width: 1 },
    font: "12px system-ui",
  });
  return {
    width: Math.max(box.clientWidth, 100),
    height: props.height ?? HEIGHT,
    legend: { live: true, markers: { dash: (_, place) => (props.lines[place - 1]?.dash ? "dashed" : "solid") } },
    cursor: {
      ...(props.sync && { sync: { key: props.sync } }),
      ...(props.onPick && { drag: { x: false, y: false } }),
    },
    scales: {
      x: { time: false, range: (_, low, high) => [...(newest.current.xRange ?? [low, high])] as [number, number] },
      y: { range: (_, low, high) => heights(newest.current.marks, low, high) },
    },
    axes: [
      { ...axis(), label: props.xLabel, labelSize: 18, labelFont: "12px system-ui" },
      { ...axis(), size: 56 },
    ],
    series: [
      { label: props.xLabel },
      ...props.lines.map(({ label, color, dash, dots = false }) => ({
        label,
        stroke: color,
        width: 1.5,
        spanGaps: true,
        points: { show: dots, size: 7, fill: color },
        ...(dash && { dash }),
      })),
    ],
    hooks: { draw: [(plot) => drawMarks(plot, newest.current)], ready: [picking(newest)] },
  };
}

function drawMarks(plot: uPlot, { marks = [], moments = [], at = null }: ChartProps): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([4, 4]);
  ctx.lineWidth = 1;
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "left";
  ctx.strokeStyle = ctx.fillStyle = shade("--quiet");
  for (const { y, label } of marks.filter((mark) => mark.label)) {
    const at = plot.valToPos(y, "y", true);
    stroke(ctx, bbox.left, at, bbox.left + bbox.width, at);
    const below = at - bbox.top < 20 * devicePixelRatio;
    ctx.textBaseline = below ? "top" : "bottom";
    ctx.fillText(label, bbox.left + 6 * devicePixelRatio, at + (below ? 3 : -3) * devicePixelRatio);
  }
  ctx.strokeStyle = shade("--warn");
  for (const { x } of moments) upright(plot, x);
  ctx.setLineDash([]);
  ctx.strokeStyle = shade("--accent");
  if (at !== null) upright(plot, at);
  ctx.restore();
}

function upright(plot: uPlot, x: number): void {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(x, "x", true);
  if (at >= bbox.left && at <= bbox.left + bbox.width) stroke(ctx, at, bbox.top, at, bbox.top + bbox.height);
}

function stroke(ctx: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

/** Colours that are told apart in light and dark, also by most who see few colours (after Okabe and Ito, 2008). */
export const COLORS = ["#0b79c2", "#d35f00", "#009e73", "#b8569a", "#8a7a00", "#4f9fd8", "#a0522d"] as const;
