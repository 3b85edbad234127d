// Two clouds on a plane, one of which is moved by pointer or keyboard.
import type { TargetedKeyboardEvent, TargetedPointerEvent } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { measured } from "../../ui/words";
import type { Points } from "./clouds";
import { FARTHEST, SHAPES, STEP, snapped } from "./measuring";

const LEFT = -0.6;
const WIDTH = FARTHEST + 1.2;
const HEIGHT = 1.3;
const ORIGIN: Points = [];
const KEYS: Record<string, (distance: number) => number> = {
  ArrowLeft: (distance) => distance - STEP,
  ArrowDown: (distance) => distance - STEP,
  ArrowRight: (distance) => distance + STEP,
  ArrowUp: (distance) => distance + STEP,
  PageDown: (distance) => distance - 4 * STEP,
  PageUp: (distance) => distance + 4 * STEP,
  Home: () => 0,
  End: () => FARTHEST,
};

interface PlaneProps {
  shape: string;
  /** Where the moving cloud is; between the steps while it is dragged. */
  distance: number;
  move: (distance: number) => void;
  /** The pointer has let go. */
  rest: () => void;
}

export function Plane({ shape, distance, move, rest }: PlaneProps) {
  const plane = useRef<SVGSVGElement>(null);
  const grip = useRef<number | null>(null);
  const points = SHAPES[shape]?.points;
  const still = useMemo(() => dots(points?.(0, 0) ?? ORIGIN), [shape]);
  const moving = useMemo(() => dots(points?.(0, 1) ?? ORIGIN), [shape]);

  const grasp = (event: TargetedPointerEvent<SVGGElement>): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    grip.current = placeOf(plane.current, event.clientX) - distance;
  };
  const drag = (event: TargetedPointerEvent<SVGGElement>): void => {
    if (grip.current === null) return;
    move(Math.min(FARTHEST, Math.max(0, placeOf(plane.current, event.clientX) - grip.current)));
  };
  const release = (): void => {
    if (grip.current === null) return;
    grip.current = null;
    rest();
  };
  const press = (event: TargetedKeyboardEvent<SVGGElement>): void => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    move(snapped(step(distance)));
  };

  return (
    <svg ref={plane} class="theory-plane" viewBox={`${LEFT} ${-HEIGHT / 2} ${WIDTH} ${HEIGHT}`}>
      <title>Two clouds of points, {measured(snapped(distance))} apart</title>
      <Rail />
      <path class="theory-still" d={still} />
      <g
        class="theory-moving"
        transform={`translate(${distance} 0)`}
        role="slider"
        tabindex={0}
        aria-label="Moving cloud, distance"
        aria-valuemin={0}
        aria-valuemax={FARTHEST}
        aria-valuenow={snapped(distance)}
        onPointerDown={grasp}
        onPointerMove={drag}
        onPointerUp={release}
        onPointerCancel={release}
        onKeyDown={press}
      >
        <rect class="theory-grip" x={-0.36} y={-0.58} width={0.72} height={1.16} rx={0.06} />
        <path d={moving} />
      </g>
    </svg>
  );
}

/** A ruler below the clouds. */
function Rail() {
  const marks = Array.from({ length: FARTHEST + 1 }, (_, i) => i);
  return (
    <g class="theory-rail">
      <line x1={0} x2={FARTHEST} y1={0} y2={0} />
      {marks.map((x) => (
        <line key={x} x1={x} x2={x} y1={-0.03} y2={0.03} />
      ))}
    </g>
  );
}

/** One path of a dot a point: a single element, however many there are. */
function dots(points: Points): string {
  return points.map(([x, y]) => `M${x.toFixed(3)} ${(-y).toFixed(3)}h0`).join("");
}

/** Where on the plane a pixel of the window lies. */
function placeOf(plane: SVGSVGElement | null, pixel: number): number {
  const box = plane?.getBoundingClientRect();
  return box ? LEFT + ((pixel - box.left) / box.width) * WIDTH : 0;
}
