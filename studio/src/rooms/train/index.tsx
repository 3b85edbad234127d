import { type Dataset, every, get, type List, type Model } from "../../api/client";
import { may } from "../../api/session";
import type { RoomProps } from "../../app";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Empty, Progress } from "../../ui/parts";
import { ProblemNote, wrongAt } from "../../ui/problem";
import { BudgetPart } from "./budget";
import { DataChoice } from "./data";
import { type Body, type Draft, type Known, type Recipe, requestOf, useDraft } from "./draft";
import { useEstimates } from "./estimating";
import { Everything } from "./everything";
import { RecipeChoice } from "./recipes";
import { ModelChoice } from "./start";
import "./style.css";
import { Take } from "./take";

/** `#/train?dataset=…&recipe=…&resume_from=…`: what to learn, by which game, for how long; the rest is chosen. */
export function TrainRoom(_: RoomProps) {
  const known = useLoad(everything, []);
  return (
    <div class="stack train">
      <h1>Train</h1>
      <ProblemNote error={known.error} retry={known.reload} />
      {known.data ? (
        <Chosen known={known.data} />
      ) : (
        known.loading && <Progress label="Asking what there is" share={null} />
      )}
    </div>
  );
}

async function everything(signal: AbortSignal): Promise<Known> {
  const [recipes, datasets, models] = await Promise.all([
    get<List<Recipe>>("/v1/recipes", { limit: 100 }, signal),
    every<Dataset>("/v1/datasets"),
    every<Model>("/v1/models"),
  ]);
  return { recipes: recipes.data, datasets, models };
}

function Chosen({ known }: { known: Known }) {
  if (!may("train")) return <ReadOnly known={known} />;
  if (known.datasets.some(({ status }) => status === "ready")) return <Form known={known} />;
  return <NoData preparing={known.datasets.filter(({ status }) => status === "preparing").length} />;
}

function NoData({ preparing }: { preparing: number }) {
  return (
    <Empty title={preparing ? "The data are still being prepared" : "Nothing to learn from yet"}>
      <p>
        {preparing
          ? "A training can be started as soon as they are ready."
          : "A model learns from examples: a folder of pictures, or a table of points."}
      </p>
      <a class="button primary" href={to("data")}>
        {preparing ? "See how far they are" : "Bring data"}
      </a>
    </Empty>
  );
}

/** What a person may see whose key does not train: the games. */
function ReadOnly({ known }: { known: Known }) {
  const [draft, change] = useDraft(known);
  return (
    <>
      <div class="note">
        <p>
          <strong>Your key may look, but not train.</strong> Ask whoever runs this server for one that may:{" "}
          <code>ganymede keys create NAME --scope read --scope sample --scope train</code>. Until then, these are the
          games that it would choose from.
        </p>
      </div>
      <RecipeChoice recipes={known.recipes} draft={{ ...draft, same: true, comparing: false }} change={change} />
    </>
  );
}

function Form({ known }: { known: Known }) {
  const [draft, change] = useDraft(known);
  const bodies = bodiesOf(draft);
  const estimates = useEstimates(bodies);
  const error = firstError(draft, estimates.answers);
  const chosen = estimates.last[draft.shown] ?? null;
  return (
    <div class="beside">
      <div class="stack">
        <DataChoice
          datasets={known.datasets}
          chosen={draft.dataset}
          choose={(dataset) => change({ dataset })}
          wrong={wrongAt(error, "dataset")}
        />
        <RecipeChoice recipes={known.recipes} draft={draft} change={change} />
        <ModelChoice models={known.models} draft={draft} change={change} error={error} />
        <BudgetPart budget={draft.budget} change={(budget) => change({ budget })} error={error} known={chosen} />
        <Everything
          known={chosen}
          given={draft.given}
          change={(given) => change({ given })}
          error={error}
          of={draft.comparing ? draft.shown : null}
        />
      </div>
      <Take bodies={bodies} estimates={estimates} />
    </div>
  );
}

function bodiesOf(draft: Draft): Record<string, Body> {
  return Object.fromEntries(draft.recipes.map((recipe) => [recipe, requestOf(draft, recipe)]));
}

/** Of the recipe that is shown, else of any. */
function firstError(draft: Draft, answers: Readonly<Record<string, { error: Error | null }>>): Error | null {
  const errors = [draft.shown, ...draft.recipes].map((recipe) => answers[recipe]?.error ?? null);
  return errors.find((error) => error !== null) ?? null;
}
