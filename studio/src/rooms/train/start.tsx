import type { Model } from "../../api/client";
import { SelectField, TextField } from "../../ui/field";
import { wrongAt } from "../../ui/problem";
import { counted } from "../../ui/words";
import type { Change, Draft } from "./draft";

interface Props {
  models: readonly Model[];
  draft: Draft;
  change: (change: Change) => void;
  error: Error | null;
}

/** What the model is called, and whether it begins anew or with what another has learned. */
export function ModelChoice({ models, draft, change, error }: Props) {
  const trained = models.filter(({ checkpoints }) => checkpoints.length > 0);
  return (
    <fieldset class="part">
      <legend>Model</legend>
      <div class="columns">
        <Name draft={draft} change={change} error={error} />
        {trained.length > 0 && <From models={trained} draft={draft} change={change} error={error} />}
        {draft.origin && <Where origin={draft.origin} draft={draft} change={change} />}
      </div>
    </fieldset>
  );
}

function Name({ draft, change, error }: Omit<Props, "models">) {
  const hint = draft.same
    ? "Training goes on in this model: its checkpoints and curves count on."
    : draft.comparing
      ? `Each recipe's name is put behind it: ${draft.recipes.map((recipe) => `${draft.model}-${recipe}`).join(", ")}`
      : "Letters, digits, dots, dashes and underscores. Samples are drawn by this name.";
  return (
    <TextField
      label="Model name"
      required
      autocomplete="off"
      value={draft.model}
      disabled={draft.same}
      hint={hint}
      wrong={wrongAt(error, "model")}
      onInput={(model) => change({ model })}
    />
  );
}

function From({ models, draft, change, error }: Props) {
  const options = models.map(({ name, dataset }) => ({
    value: name,
    label: dataset ? `${name} (of ${dataset})` : name,
  }));
  return (
    <SelectField
      label="Begins with"
      value={draft.origin?.name ?? ""}
      options={[{ value: "", label: "new networks" }, ...options]}
      hint="A model that has learned something may go on, or be where another begins."
      wrong={wrongAt(error, "resume_from")}
      onChange={(name) => change({ from: name || null, same: null, model: null })}
    />
  );
}

function Where({ origin, draft, change }: { origin: Model; draft: Draft; change: Props["change"] }) {
  return (
    <>
      <SelectField
        label="Trains"
        value={draft.same ? "same" : "new"}
        options={[
          { value: "same", label: `${origin.name}, which goes on` },
          { value: "new", label: "a new model, which begins there" },
        ]}
        onChange={(where) => change({ from: origin.name, same: where === "same", model: null })}
      />
      {!draft.same && (
        <SelectField
          label="From its checkpoint"
          value={draft.from ?? origin.name}
          options={checkpointsOf(origin, draft.from)}
          onChange={(from) => change({ from, same: false })}
        />
      )}
    </>
  );
}

function checkpointsOf(origin: Model, from: string | null): { value: string; label: string }[] {
  const known = [
    { value: origin.name, label: "the newest" },
    ...(origin.best ? [{ value: `${origin.name}@best`, label: `the best, by ${origin.metric}` }] : []),
    ...origin.checkpoints.map(({ images }) => ({
      value: `${origin.name}@${images}`,
      label: `at ${counted(images)} images`,
    })),
  ];
  return from === null || known.some(({ value }) => value === from) ? known : [...known, { value: from, label: from }];
}
