import { useEffect, useRef, useState } from "preact/hooks";
import { go, remember, route } from "../../router";
import { RangeField, SelectField, TextField } from "../../ui/field";
import { counted } from "../../ui/words";
import type { Drawing } from "./drawing";
import type { Checkpoint, Found } from "./found";

/** What is chosen, as the address keeps it: `label`, `psi`, `ema`, `condition`, `from`, `tile`. */
export interface Chosen {
  label: string | null;
  truncation: number;
  ema: number | null;
  condition: readonly number[] | null;
  from: number;
  tile: number;
}

export const TILES = { small: 56, medium: 84, large: 132 } as const;
const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
const MANY_SEEDS = 1_000_000;

const within = (number: number, least: number, most: number, otherwise: number): number =>
  Number.isFinite(number) ? Math.min(most, Math.max(least, number)) : otherwise;

/** The numbers of a condition, or null where there are none or as many as the model takes are not there. */
export function numbersOf(text: string, count: number): readonly number[] | null {
  const numbers = text.split(/[\s,]+/).filter(Boolean);
  const values = numbers.map(Number);
  return numbers.length === count && values.every(Number.isFinite) ? values : null;
}

/** A number of the address; NaN where it has none. */
function numberIn(query: URLSearchParams, name: string): number {
  const word = query.get(name);
  return word === null || word === "" ? Number.NaN : Number(word);
}

export function chosenIn(query: URLSearchParams, { model, checkpoint }: Found): Chosen {
  const label = query.get("label");
  const ema = numberIn(query, "ema");
  const { kind, size } = model.network.conditioning;
  return {
    label: label !== null && model.classes.includes(label) ? label : null,
    truncation: within(numberIn(query, "psi"), 0, 1, 1),
    ema: checkpoint?.ema_halflives.includes(ema) ? ema : null,
    condition: kind === "vector" ? numbersOf(query.get("condition") ?? "", size) : null,
    from: Math.round(within(numberIn(query, "from"), 0, LARGEST_SEED - MANY_SEEDS, 0)),
    tile: TILES[(query.get("tile") ?? "medium") as keyof typeof TILES] ?? TILES.medium,
  };
}

export function drawingOf(checkpoint: Checkpoint, { label, truncation, ema, condition }: Chosen): Drawing {
  return { model: checkpoint.id, label, truncation, ema, condition };
}

/** Milliseconds without a change after which a control that moves is taken at its word. */
const SETTLED = 150;

/** A value that follows its control at once, and is told when it has come to rest. */
export function useSettled<T>(value: T, tell: (value: T) => void): [T, (value: T) => void] {
  const [now, setNow] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => setNow(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next: T): void => {
    setNow(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell(next), SETTLED);
  };
  return [now, change];
}

export function Settings({ found, chosen }: { found: Found; chosen: Chosen }) {
  const { model, checkpoint } = found;
  const { kind, size } = model.network.conditioning;
  const images = model.network.shape.kind === "images";
  return (
    <form class="card explore-settings" aria-label="What is drawn" onSubmit={(event) => event.preventDefault()}>
      <CheckpointField found={found} />
      {(checkpoint?.ema_halflives.length ?? 0) > 1 && <AverageField found={found} chosen={chosen} />}
      {kind === "class" && <LabelField classes={model.classes} label={chosen.label} />}
      {kind === "vector" && <ConditionField size={size} />}
      {images && <TruncationField truncation={chosen.truncation} />}
      <SeedField from={chosen.from} />
      {images && <TileField />}
    </form>
  );
}

function CheckpointField({ found: { model, at } }: { found: Found }) {
  const best = model.checkpoints.find(({ id }) => id === model.best);
  const named = model.checkpoints.find(({ id, images }) => id === at || `${images}` === at);
  const options = [
    { value: "", label: `newest (${counted(model.checkpoints[0]?.images ?? 0)} images)` },
    ...(best ? [{ value: "best", label: `best by ${model.metric} (${counted(best.images)})` }] : []),
    ...model.checkpoints.map(({ id, images, pinned }) => ({
      value: id,
      label: `at ${counted(images)} images${pinned ? ", pinned" : ""}`,
    })),
  ];
  const move = (value: string): void =>
    go("explore", value ? `${model.name}@${value}` : model.name, Object.fromEntries(route.value.query));
  return <SelectField label="Checkpoint" value={named?.id ?? at} options={options} onChange={move} />;
}

function AverageField({ found: { checkpoint }, chosen }: { found: Found; chosen: Chosen }) {
  const own = checkpoint?.ema_halflife;
  const word = (halflife: number): string =>
    halflife === 0 ? "none: as last trained" : `of ${counted(halflife)} images`;
  const options = [
    { value: "", label: own == null ? "its own" : `its own (${word(own)})` },
    ...(checkpoint?.ema_halflives ?? []).map((halflife) => ({ value: `${halflife}`, label: word(halflife) })),
  ];
  const value = chosen.ema === null ? "" : `${chosen.ema}`;
  return (
    <SelectField label="Average" value={value} options={options} onChange={(ema) => remember({ ema: ema || null })} />
  );
}

function LabelField({ classes, label }: { classes: readonly string[]; label: string | null }) {
  const options = [
    { value: "", label: "any, as in the data" },
    ...classes.map((name, index) => ({ value: `${index}`, label: name })),
  ];
  const value = label === null ? "" : `${classes.indexOf(label)}`;
  const choose = (index: string): void => remember({ label: index === "" ? null : classes[Number(index)] });
  return <SelectField label="Label" value={value} options={options} onChange={choose} />;
}

function ConditionField({ size }: { size: number }) {
  const kept = route.value.query.get("condition") ?? "";
  const [text, change] = useSettled(kept, (condition) => remember({ condition: condition || null }));
  const wrong = text.trim() && !numbersOf(text, size) ? `${size} numbers are needed` : undefined;
  const hint = `${size} with commas between; empty: drawn from the seed`;
  return <TextField label="Numbers" value={text} onInput={change} hint={hint} wrong={wrong} />;
}

function TruncationField({ truncation }: { truncation: number }) {
  const [now, change] = useSettled(truncation, (psi) => remember({ psi: psi === 1 ? null : psi }));
  return (
    <RangeField label="Truncation ψ" value={now} min={0} max={1} step={0.05} shown={now.toFixed(2)} onInput={change} />
  );
}

function SeedField({ from }: { from: number }) {
  const [now, change] = useSettled(`${from}`, (seed) => remember({ from: seed === "0" ? null : seed }));
  const elsewhere = (): void => remember({ from: Math.floor(Math.random() * 2 ** 32) });
  return (
    <div class="seed-field">
      <TextField label="From seed" type="number" min={0} step={1} value={now} onInput={change} />
      <button type="button" onClick={elsewhere}>
        Elsewhere
      </button>
    </div>
  );
}

function TileField() {
  const options = Object.keys(TILES).map((value) => ({ value, label: value }));
  const value = route.value.query.get("tile") ?? "medium";
  return <SelectField label="Tiles" value={value} options={options} onChange={(tile) => remember({ tile })} />;
}
