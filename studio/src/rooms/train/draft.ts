// What a person has chosen so far, and the requests that it comes to. Data, recipes and start stand in the address.
import { useState } from "preact/hooks";
import type { Dataset, Model, Schemas } from "../../api/client";
import { remember, route } from "../../router";
import { type FieldName, readAs, SETTINGS } from "./settings";

export type Recipe = Schemas["Recipe"];
/** Fields that the person set, as they wrote them. */
export type Given = Readonly<Partial<Record<FieldName, string>>>;
export type BudgetChoice = "minute" | "ten" | "advised" | "other";
export type Unit = "seconds" | "minutes" | "images";
export interface Budget {
  choice: BudgetChoice;
  amount: string;
  unit: Unit;
}

/** What the server has to choose from. */
export interface Known {
  datasets: readonly Dataset[];
  recipes: readonly Recipe[];
  models: readonly Model[];
}

export interface Draft {
  dataset: string;
  /** One, or several that are compared. */
  recipes: readonly string[];
  comparing: boolean;
  /** The recipe whose formulas and figures are shown. */
  shown: string;
  /** The checkpoint to go on from, and its model; both null where new networks are made. */
  from: string | null;
  origin: Model | null;
  /** Whether training goes on in that very model. */
  same: boolean;
  model: string;
  budget: Budget;
  given: Given;
}

/** A null stands for what would be taken without the person's word. */
export type Change = Partial<
  Pick<Draft, "dataset" | "recipes" | "comparing" | "shown" | "from" | "budget" | "given"> & {
    same: boolean | null;
    model: string | null;
  }
>;

interface Local {
  comparing: boolean | null;
  shown: string | null;
  same: boolean | null;
  /** Null while the proposed name is taken. */
  model: string | null;
  budget: Budget;
  given: Given;
}

const ADDRESSED = ["dataset", "recipes", "from"] as const;
const FRESH: Local = {
  comparing: null,
  shown: null,
  same: null,
  model: null,
  budget: { choice: "advised", amount: "5", unit: "minutes" },
  given: {},
};

/** The draft, and how it is changed. */
export function useDraft(known: Known): [Draft, (change: Change) => void] {
  const [local, setLocal] = useState<Local>(FRESH);
  const change = (changed: Change): void => {
    if (ADDRESSED.some((name) => name in changed)) remember(addressed(changed));
    const { dataset, recipes, from, ...rest } = changed;
    setLocal((last) => ({ ...last, ...rest }));
  };
  return [drafted(known, local, route.value.query), change];
}

function addressed({ dataset, recipes, from }: Change): Record<string, string | null> {
  return {
    ...(dataset !== undefined && { dataset }),
    ...(recipes && { recipe: recipes.join(",") }),
    ...(from !== undefined && { resume_from: from }),
  };
}

function drafted(known: Known, local: Local, query: URLSearchParams): Draft {
  const from = query.get("resume_from");
  const origin = from === null ? null : (originOf(known.models, from) ?? null);
  const usual = origin?.recipe ?? known.recipes.find((recipe) => recipe.default)?.name ?? "r3gan";
  const named = query.get("recipe")?.split(",").filter(Boolean) ?? [usual];
  const same = origin !== null && (local.same ?? from === origin.name);
  const comparing = !same && (local.comparing ?? named.length > 1);
  const recipes = comparing ? named : named.slice(0, 1);
  const ready = known.datasets.filter(({ status }) => status === "ready");
  const dataset = query.get("dataset") ?? origin?.dataset ?? ready[0]?.name ?? "";
  const shown = local.shown && (recipes.includes(local.shown) || comparing) ? local.shown : (recipes[0] ?? usual);
  const proposed = proposal(
    dataset,
    known.models,
    comparing ? known.recipes.map(({ name }) => name) : [shown],
    comparing,
  );
  const model = same ? origin.name : (local.model ?? proposed);
  return { dataset, recipes, comparing, shown, from, origin, same, model, budget: local.budget, given: local.given };
}

/** The model that `faces`, `faces@best`, or the id of a model or checkpoint speaks of. */
export function originOf(models: readonly Model[], from: string): Model | undefined {
  const [name] = from.split("@", 1);
  return models.find(
    (model) => model.name === name || model.id === name || model.checkpoints.some(({ id }) => id === from),
  );
}

const LONGEST = 80;

/** A name that no model has yet: the dataset's, with its recipe, or with a number. */
export function proposal(
  dataset: string,
  models: readonly Model[],
  recipes: readonly string[],
  comparing: boolean,
): string {
  const taken = new Set(models.map(({ name }) => name));
  const free = (base: string): boolean =>
    (comparing ? recipes.map((recipe) => `${base}-${recipe}`) : [base]).every((name) => !taken.has(name));
  const base = dataset.slice(0, LONGEST) || "model";
  const first = [base, ...(comparing ? [] : [`${base}-${recipes[0]}`])].find(free);
  for (let number = 2; ; number++) if (first ?? free(`${base}-${number}`)) return first ?? `${base}-${number}`;
}

/** What the model of a recipe is called. */
export function modelOf(draft: Draft, recipe: string): string {
  return draft.comparing ? `${draft.model}-${recipe}` : draft.model;
}

export type Body = Record<string, unknown>;

/** The body of the job that trains by a recipe. */
export function requestOf(draft: Draft, recipe: string): Body {
  const own = draft.origin !== null && draft.origin.recipe === recipe;
  return {
    type: "train",
    dataset: draft.dataset,
    model: modelOf(draft, recipe),
    ...(!own && { recipe }),
    ...(draft.from && { resume_from: draft.from }),
    ...budgetOf(draft.budget),
    ...overrides(draft.given),
  };
}

const PRESETS: Record<Exclude<BudgetChoice, "other">, Body> = {
  minute: { max_seconds: 60 },
  ten: { max_seconds: 600 },
  advised: {},
};
const PLAIN = { group: "game", label: "", about: "" } as const;

function budgetOf({ choice, amount, unit }: Budget): Body {
  if (choice !== "other") return PRESETS[choice];
  const value = readAs(PLAIN, amount);
  if (unit === "images") return { images: value };
  return { max_seconds: typeof value === "number" && unit === "minutes" ? value * 60 : value };
}

function overrides(given: Given): Body {
  const body: Body = {};
  const network: Body = {};
  for (const [field, text] of Object.entries(given) as [FieldName, string][]) {
    if (text.trim() === "") continue;
    const [room, name] = field.split(".");
    if (name) network[name] = readAs(SETTINGS[field], text);
    else body[room as string] = readAs(SETTINGS[field], text);
  }
  return Object.keys(network).length ? { ...body, network } : body;
}
