import { SelectField, TextField } from "../../ui/field";
import { wrongAt } from "../../ui/problem";
import { counted } from "../../ui/words";
import type { Budget, BudgetChoice, Unit } from "./draft";
import type { Estimate } from "./estimating";

interface Props {
  budget: Budget;
  change: (budget: Budget) => void;
  error: Error | null;
  known: Estimate | null;
}

const CHOICES: readonly [BudgetChoice, string][] = [
  ["minute", "A minute"],
  ["ten", "Ten minutes"],
  ["advised", "What is advised"],
  ["other", "Another budget"],
];
const UNITS: readonly { value: Unit; label: string }[] = [
  { value: "minutes", label: "minutes" },
  { value: "seconds", label: "seconds" },
  { value: "images", label: "images seen" },
];

/** How long to train: by the clock, or by how many images the discriminator has seen. */
export function BudgetPart({ budget, change, error, known }: Props) {
  return (
    <fieldset class="part">
      <legend>Budget</legend>
      <div class="choices presets">
        {CHOICES.map(([choice, label]) => (
          <label class="choice" key={choice}>
            <input
              type="radio"
              name="budget"
              value={choice}
              checked={budget.choice === choice}
              onChange={() => change({ ...budget, choice })}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
      {budget.choice === "other" && <Other budget={budget} change={change} error={error} />}
      <p class="quiet">{budget.choice === "advised" ? advice(known) : BY_THE_CLOCK}</p>
    </fieldset>
  );
}

const BY_THE_CLOCK =
  "Whatever the budget, the model may be drawn from while it trains, and may go on learning afterwards.";

function advice(known: Estimate | null): string {
  const { images, chosen } = (known?.spec ?? {}) as { images?: number | null; chosen?: Record<string, string> };
  return images && chosen?.images ? `${counted(images)} images seen: what suits ${chosen.images}.` : "";
}

function Other({ budget, change, error }: Omit<Props, "known">) {
  return (
    <div class="amount">
      <TextField
        label="How much"
        value={budget.amount}
        wrong={wrongAt(error, budget.unit === "images" ? "images" : "max_seconds")}
        onInput={(amount) => change({ ...budget, amount })}
      />
      <SelectField
        label="Of what"
        value={budget.unit}
        options={UNITS}
        onChange={(unit) => change({ ...budget, unit: unit as Unit })}
      />
    </div>
  );
}
