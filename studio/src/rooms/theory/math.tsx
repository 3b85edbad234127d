// Formulas in MathML Core, which browsers set by themselves and screen readers read; these are its pieces.
import type { ComponentChildren } from "preact";

type Inside = { children: ComponentChildren };

const AS_IT_IS = { stretchy: "false" } as object;
/** Parentheses of one size: an attribute whose value is a word, though its type says otherwise. */

/** A formula on a line of its own. */
export function Formula({ children }: Inside) {
  return (
    <div class="theory-formula">
      <math display="block">
        <mrow>{children}</mrow>
      </math>
    </div>
  );
}

/** A formula within a sentence. */
export function Inline({ children }: Inside) {
  return (
    <math>
      <mrow>{children}</mrow>
    </math>
  );
}

/** A variable's name, or a function's. */
export function I({ children }: Inside) {
  return <mi>{children}</mi>;
}

export function N({ children }: Inside) {
  return <mn>{children}</mn>;
}

/** An operator or a fence. */
export function O({ children }: Inside) {
  return <mo {...AS_IT_IS}>{children}</mo>;
}

/** f(…): the name of a function and its argument in parentheses. */
export function Of({ f, children }: Inside & { f: ComponentChildren }) {
  return (
    <>
      {typeof f === "string" ? <mi>{f}</mi> : f}
      <mo {...AS_IT_IS}>(</mo>
      {children}
      <mo {...AS_IT_IS}>)</mo>
    </>
  );
}

/** `min` or `max` with what it is taken over below it. */
export function Over({ word, children }: Inside & { word: string }) {
  return (
    <munder>
      <mo lspace="0.2em" rspace="0.1em">
        {word}
      </mo>
      <mrow>{children}</mrow>
    </munder>
  );
}

export function Sub({ base, children }: Inside & { base: string }) {
  return (
    <msub>
      <mi>{base}</mi>
      <mrow>{children}</mrow>
    </msub>
  );
}

/** The mean of […] over what stands below the E. */
export function Mean({ over, children }: Inside & { over: ComponentChildren }) {
  return (
    <>
      <msub>
        <mi>𝔼</mi>
        <mrow>{over}</mrow>
      </msub>
      <mo {...AS_IT_IS}>[</mo>
      {children}
      <mo {...AS_IT_IS}>]</mo>
    </>
  );
}

export function Ratio({ over, under }: { over: ComponentChildren; under: ComponentChildren }) {
  return (
    <mfrac>
      <mrow>{over}</mrow>
      <mrow>{under}</mrow>
    </mfrac>
  );
}
