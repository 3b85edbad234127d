import { Formula } from "../../ui/formula";
import type { Change, Draft, Given, Recipe } from "./draft";

interface Props {
  recipes: readonly Recipe[];
  draft: Draft;
  change: (change: Change) => void;
}

/** Which game to play, its formulas and a paragraph on it beside; or several, each for a job of its own. */
export function RecipeChoice({ recipes, draft, change }: Props) {
  const shown = recipes.find(({ name }) => name === draft.shown);
  return (
    <fieldset class="part">
      <legend>Recipe</legend>
      {!draft.same && <Comparing draft={draft} change={change} />}
      <div class="recipes">
        <div class="choices">
          {recipes.map((recipe) => (
            <RecipeCard key={recipe.name} recipe={recipe} draft={draft} change={change} />
          ))}
        </div>
        {shown && <RecipeWords recipe={shown} recipes={recipes} given={draft.given} />}
      </div>
    </fieldset>
  );
}

function Comparing({ draft, change }: Omit<Props, "recipes">) {
  return (
    <label class="tick">
      <input
        type="checkbox"
        checked={draft.comparing}
        onChange={(event) => change({ comparing: event.currentTarget.checked, recipes: [draft.shown] })}
      />
      Compare several: a job of each, on the same data and budget
    </label>
  );
}

function RecipeCard({ recipe, draft, change }: { recipe: Recipe } & Omit<Props, "recipes">) {
  const { name } = recipe;
  const chosen = draft.recipes.includes(name);
  const choose = (): void => {
    const others = draft.recipes.filter((other) => other !== name);
    const recipes = draft.comparing ? (chosen ? others : [...others, name]) : [name];
    change({ recipes, shown: name });
  };
  return (
    <label class={`choice ${name === draft.shown ? "shown" : ""}`}>
      <input
        type={draft.comparing ? "checkbox" : "radio"}
        name="recipe"
        value={name}
        checked={chosen}
        onChange={choose}
      />
      <span>
        <strong>{name}</strong> {recipe.default && <span class="badge">default</span>}
        <span class="quiet line">{recipe.summary}</span>
      </span>
    </label>
  );
}

/** A recipe's game in symbols, a paragraph on it, and where it is from. */
export function RecipeWords({ recipe, recipes, given }: { recipe: Recipe; recipes: readonly Recipe[]; given: Given }) {
  const { authors, title, year, url } = recipe.source;
  const game = gameOf(recipe, recipes, given);
  return (
    <section class="card words" aria-label={`About ${recipe.name}`}>
      <h2>{recipe.name}</h2>
      <dl class="game">
        <Player name="Discriminator minimises" {...game.discriminator} />
        <Player name="Generator minimises" {...game.generator} />
        <Player name="Kept Lipschitz by" {...game.kept_lipschitz_by} />
      </dl>
      {game.changed && <p class="note">As you changed it: these are not the formulas of {recipe.name} itself.</p>}
      <p class="quiet">
        r = D(x) and f = D(G(z)) are the discriminator’s logits of real and generated data, σ⁺(a) = log(1 + eᵃ); each is
        a mean over the batch.
      </p>
      <p>{recipe.about}</p>
      <p class="quiet">
        {authors},{" "}
        <a href={url} target="_blank" rel="noreferrer">
          {title}
        </a>
        , {year}
      </p>
    </section>
  );
}

interface Symbols {
  text: string | null;
  mathml: string | null;
}

function Player({ name, text, mathml }: Symbols & { name: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{text ? <Formula text={text} mathml={mathml} /> : "nothing"}</dd>
    </>
  );
}

const PLAYERS = ["discriminator", "generator", "kept_lipschitz_by"] as const;
type Game = Record<(typeof PLAYERS)[number], Symbols> & { changed: boolean };

/** The game that is really played: that of the loss and control which the person gave, where they gave one. */
function gameOf(recipe: Recipe, recipes: readonly Recipe[], given: Given): Game {
  const loss = playing("loss", recipe, recipes, given);
  const kept = playing("lipschitz", recipe, recipes, given);
  return {
    discriminator: symbols(loss, "discriminator"),
    generator: symbols(loss, "generator"),
    kept_lipschitz_by: symbols(kept, "kept_lipschitz_by"),
    changed: loss !== recipe || kept !== recipe,
  };
}

function playing(field: "loss" | "lipschitz", recipe: Recipe, recipes: readonly Recipe[], given: Given): Recipe {
  const asked = given[field];
  if (!asked || asked === recipe.settings[field]) return recipe;
  const alike = recipes.filter(({ settings }) => settings[field] === asked);
  return alike.find(({ settings }) => !settings.penalised) ?? alike[0] ?? recipe;
}

function symbols({ formula }: Recipe, player: (typeof PLAYERS)[number]): Symbols {
  return { text: formula[player], mathml: formula.mathml[player] };
}
