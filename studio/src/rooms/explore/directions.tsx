import { useState } from "preact/hooks";
import { get, type Schemas } from "../../api/client";
import { RangeField, SelectField } from "../../ui/field";
import { useLoad } from "../../ui/load";
import { ProblemNote } from "../../ui/problem";
import type { Drawing, Edit } from "./drawing";

type Method = Edit["method"];
type DirectionsProps = { drawing: Drawing; edits: readonly Edit[]; setEdits: (edits: readonly Edit[]) => void };

const METHODS = [
  { value: "pca", label: "principal components of the first layer" },
  { value: "factorisation", label: "what its weights stretch most" },
];
const SHOWN = 6;
/** How far a slider goes, in standard deviations of the prior. */
const REACH = 6;

/** Along what the model's pictures change most, as sliders. */
export function Directions({ drawing, edits, setEdits }: DirectionsProps) {
  const [method, setMethod] = useState<Method>("pca");
  const [open, setOpen] = useState(false);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Directions</summary>
      {open && (
        <div class="stack">
          <p class="quiet">
            Along these the pictures change most. Nobody has named them: look what they do, in standard deviations of
            the latent.
          </p>
          <SelectField
            label="Found as"
            value={method}
            options={METHODS}
            onChange={(value) => {
              setEdits([]);
              setMethod(value as Method);
            }}
          />
          <Sliders drawing={drawing} method={method} edits={edits} setEdits={setEdits} />
        </div>
      )}
    </details>
  );
}

function Sliders({ drawing, method, edits, setEdits }: DirectionsProps & { method: Method }) {
  const { data, error } = useLoad(
    (signal) =>
      get<Schemas["DirectionList"]>(
        `/v1/models/${encodeURIComponent(drawing.model)}/directions`,
        { method, count: SHOWN, ema: drawing.ema },
        signal,
      ),
    [drawing.model, drawing.ema, method],
  );
  const amountOf = (direction: number): number => edits.find((edit) => edit.direction === direction)?.amount ?? 0;
  const change = (direction: number, amount: number): void => {
    const others = edits.filter((edit) => edit.direction !== direction);
    setEdits(
      amount === 0 ? others : [...others, { direction, amount, method }].sort((x, y) => x.direction - y.direction),
    );
  };
  return (
    <>
      <ProblemNote error={error} />
      {data?.data.map(({ index }) => (
        <RangeField
          key={index}
          label={`Direction ${index + 1}`}
          value={amountOf(index)}
          min={-REACH}
          max={REACH}
          step={0.1}
          shown={signed(amountOf(index))}
          onInput={(amount) => change(index, amount)}
        />
      ))}
      <div>
        <button type="button" disabled={edits.length === 0} onClick={() => setEdits([])}>
          Back to the seed
        </button>
      </div>
    </>
  );
}

function signed(amount: number): string {
  return amount > 0 ? `+${amount.toFixed(1)}` : amount.toFixed(1);
}
