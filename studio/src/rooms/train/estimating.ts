import { useEffect, useRef, useState } from "preact/hooks";
import { post, type Schemas } from "../../api/client";
import type { Body } from "./draft";

export type Estimate = Schemas["TrainingEstimate"];
export interface Answer {
  estimate: Estimate | null;
  error: Error | null;
}
export interface Estimates {
  /** By recipe; of what was asked last and has been answered. */
  answers: Readonly<Record<string, Answer>>;
  waiting: boolean;
  /** The last good answer by recipe: what the form shows while a figure is wrong. */
  last: Readonly<Record<string, Estimate>>;
}

const PAUSE = 300;
/** Milliseconds without a change before the server is asked. */

/** What each training would be and take, asked anew when its body changes; an earlier question is given up. */
export function useEstimates(bodies: Readonly<Record<string, Body>>): Estimates {
  const asked = JSON.stringify(bodies);
  const [state, setState] = useState<{ answers: Record<string, Answer>; asked: string }>({ answers: {}, asked: "" });
  const last = useRef<Record<string, Estimate>>({});
  useEffect(() => {
    const gone = new AbortController();
    const timer = setTimeout(async () => {
      const answers = await answersTo(bodies, gone.signal);
      if (gone.signal.aborted) return;
      for (const [recipe, { estimate }] of Object.entries(answers)) if (estimate) last.current[recipe] = estimate;
      setState({ answers, asked });
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      gone.abort();
    };
  }, [asked]);
  return { answers: state.answers, waiting: state.asked !== asked, last: last.current };
}

async function answersTo(bodies: Readonly<Record<string, Body>>, signal: AbortSignal): Promise<Record<string, Answer>> {
  const pairs = Object.entries(bodies).map(async ([recipe, body]) => [recipe, await answerTo(body, signal)] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

async function answerTo(body: Body, signal: AbortSignal): Promise<Answer> {
  try {
    return { estimate: await post<Estimate>("/v1/estimates", body, { signal }), error: null };
  } catch (error) {
    return { estimate: null, error: error as Error };
  }
}
