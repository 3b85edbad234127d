// What is told in words and formulas: a second input, two players, what lies between two latents, and the critic.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { every, type Model } from "../../api/client";
import { may } from "../../api/session";
import { to } from "../../router";
import { SelectField } from "../../ui/field";
import { useLoad } from "../../ui/load";
import { ProblemNote } from "../../ui/problem";
import { Formula, I, Inline, N, O, Of, Over, Ratio, Sub } from "./math";

const SEEDS = [0, 1, 2, 3, 4, 5, 6, 7];

export function OneInput() {
  return (
    <>
      <p>
        Asked what comes next where two things may come next, an ordinary network learns their mean, which is neither. A{" "}
        <em>generator</em> has a second input, a random z, and so makes of one x a whole distribution of y:
      </p>
      <Formula>
        <I>y</I>
        <O>=</O>
        <Of f="G">
          <I>x</I>
          <O>,</O>
          <I>z</I>
        </Of>
        <O>,</O>
        <mspace width="1em" />
        <I>z</I>
        <O>~</O>
        <Of f="N">
          <N>0</N>
          <O>,</O>
          <I>I</I>
        </Of>
      </Formula>
      <OneLabel />
    </>
  );
}

/** Several z of one x, drawn by a model that takes classes, where there is one. */
function OneLabel() {
  const { data: models, error, reload } = useLoad(() => every<Model>("/v1/models"), []);
  const found = models?.find(takesClasses);
  if (error) return <ProblemNote error={error} retry={reload} />;
  if (!models) return null;
  if (!found || !may("sample"))
    return (
      <p>
        To see it: <a href={to("data")}>upload images in folders</a>, a folder a class, train on them, and ask for many
        seeds of one class in <a href={to("explore")}>Explore</a>.
      </p>
    );
  return <Labelled model={found} />;
}

function takesClasses({ network, classes, checkpoints }: Model): boolean {
  return network.shape.kind === "images" && classes.length > 1 && checkpoints.length > 0;
}

function Labelled({ model }: { model: Model }) {
  const [label, setLabel] = useState(model.classes[0] ?? "");
  const query = new URLSearchParams({ label, size: "96" });
  return (
    <div class="card stack">
      <SelectField
        label={`x: a class of ${model.name}`}
        value={label}
        options={model.classes.map((name) => ({ value: name, label: name }))}
        onChange={setLabel}
      />
      <ul class="wall theory-seeds" aria-label={`Eight seeds of ${label}`}>
        {SEEDS.map((seed) => (
          <li key={seed}>
            <img
              class="pixels"
              src={`/v1/models/${model.name}/images/${seed}.png?${query}`}
              alt={`${label}, seed ${seed}`}
              loading="lazy"
            />
          </li>
        ))}
      </ul>
      <p>
        One x, eight z. <a href={to("explore", model.name, { label })}>More of this class in Explore</a>
      </p>
    </div>
  );
}

export function TwoPlayers() {
  return (
    <>
      <p>
        The <em>discriminator</em> D looks at a y, real or generated, and says how likely it is to be real. Training
        takes turns: first D learns to tell them apart better, with G held still; then G learns to make D take its
        samples for real, with D held still.
      </p>
      <p>
        How many turns D has to one of G is <code>critic_steps</code>.{" "}
        <a href={to("train", "", { recipe: "dcgan" })}>Train with one turn each</a> (dcgan) or{" "}
        <a href={to("train", "", { recipe: "wgan-gp" })}>with five turns for the critic</a> (wgan-gp).
      </p>
    </>
  );
}

export function Interpolation() {
  return (
    <>
      <p>
        Two latents make two pictures; every latent between them makes one in between, if G has learned the pictures
        rather than memorised them. Normal latents lie near a sphere, so the walk turns along it by the angle θ between
        them, and does not cut through its inside, where G has never been:
      </p>
      <Formula>
        <Sub base="z">
          <I>t</I>
        </Sub>
        <O>=</O>
        <Ratio over={<Sine of={OneMinusT} />} under={<Sine of={null} />} />
        <Sub base="z">
          <N>0</N>
        </Sub>
        <O>+</O>
        <Ratio over={<Sine of={<I>t</I>} />} under={<Sine of={null} />} />
        <Sub base="z">
          <N>1</N>
        </Sub>
      </Formula>
      <p>
        To see it, open a model in <a href={to("explore")}>Explore</a>, pick two of its pictures and drag the slider
        between them.
      </p>
    </>
  );
}

const OneMinusT = (
  <>
    <O>(</O>
    <N>1</N>
    <O>−</O>
    <I>t</I>
    <O>)</O>
  </>
);

function Sine({ of }: { of: ComponentChildren }) {
  return (
    <>
      <I>sin</I>
      <mspace width="0.15em" />
      {of}
      <I>θ</I>
    </>
  );
}

const LIPSCHITZ = [
  {
    how: "Weight clipping",
    recipe: "wgan",
    formula: (
      <>
        <I>w</I>
        <O>←</O>
        <Of f="clip">
          <I>w</I>
          <O>,</O>
          <O>−</O>
          <I>c</I>
          <O>,</O>
          <I>c</I>
        </Of>
      </>
    ),
    words: "Every parameter stays in [−c, c]. Crude: the bound it implies is unknown, and the critic grows simple.",
    source: "Arjovsky 2017",
  },
  {
    how: "Gradient penalty",
    recipe: "wgan-gp",
    formula: (
      <>
        <O>+</O>
        <I>λ</I>
        <I>𝔼</I>
        <msup>
          <mrow>
            <O>(</O>
            <O>‖</O>
            <O>∇</O>
            <I>f</I>
            <O>‖</O>
            <O>−</O>
            <N>1</N>
            <O>)</O>
          </mrow>
          <N>2</N>
        </msup>
      </>
    ),
    words: "Steepness other than 1 is penalised between real and generated samples. Soft: no strict bound.",
    source: "Gulrajani 2017",
  },
  {
    how: "Spectral norm",
    recipe: "sngan",
    formula: (
      <>
        <I>W</I>
        <O>←</O>
        <Ratio
          over={<I>W</I>}
          under={
            <Of
              f={
                <Sub base="σ">
                  <I>max</I>
                </Sub>
              }
            >
              <I>W</I>
            </Of>
          }
        />
      </>
    ),
    words: "Every weight matrix is divided by its largest singular value, found by one power iteration a step.",
    source: "Miyato 2018",
  },
];

export function Lipschitz() {
  return (
    <>
      <p>The least work of moving q onto p, mass times distance, is also what the best critic with slope 1 reports:</p>
      <Formula>
        <Of
          f={
            <Sub base="W">
              <N>1</N>
            </Sub>
          }
        >
          <I>p</I>
          <O>,</O>
          <I>q</I>
        </Of>
        <O>=</O>
        <Over word="max">
          <O>‖</O>
          <I>f</I>
          <msub>
            <O>‖</O>
            <I>L</I>
          </msub>
          <O>≤</O>
          <N>1</N>
        </Over>
        <mspace width="0.2em" />
        <I>𝔼</I>
        <Of f="f">
          <I>y</I>
        </Of>
        <O>−</O>
        <I>𝔼</I>
        <Of f="f">
          <Of f="G">
            <I>z</I>
          </Of>
        </Of>
      </Formula>
      <p>
        It falls steadily as the two approach, overlapping or not, so it has a gradient where the divergence has none.
        The discriminator becomes a critic{" "}
        <Inline>
          <I>f</I>
        </Inline>{" "}
        without a sigmoid. The difficulty is keeping it 1-Lipschitz, and there are three ways to do so. Try one:
      </p>
      <ul class="theory-ways">
        {LIPSCHITZ.map(({ how, recipe, formula, words, source }) => (
          <li key={how} class="card stack">
            <h3>{how}</h3>
            <Formula>{formula}</Formula>
            <p>
              {words} <span class="quiet">{source}</span>
            </p>
            <a class="button" href={to("train", "", { recipe })}>
              Train {recipe}
            </a>
          </li>
        ))}
      </ul>
      <p class="quiet">
        Every report has <code>critic_gap</code>, the steepest slope that was seen (<code>lipschitz_estimate</code>),
        and their quotient, <code>wasserstein_estimate</code>. Of points, <code>wasserstein_exact</code> stands beside
        it.
      </p>
    </>
  );
}
