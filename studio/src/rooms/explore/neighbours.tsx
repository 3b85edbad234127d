import { get, type Schemas } from "../../api/client";
import { useLoad } from "../../ui/load";
import { ProblemNote } from "../../ui/problem";
import { measured } from "../../ui/words";
import type { Shown } from "./drawing";
import { type Found, type Picture, pixelated } from "./found";

type Answer = Schemas["Neighbours"];
const SHOWN = 6;

function neighboursOf({ drawing, seed }: Shown, signal: AbortSignal): Promise<Answer> {
  const { label, truncation, ema, condition } = drawing;
  const query = { seed, label, ema, condition: condition?.join(","), truncation: truncation === 1 ? null : truncation };
  return get<Answer>(`/v1/models/${encodeURIComponent(drawing.model)}/neighbours`, { ...query, count: SHOWN }, signal);
}

type NeighboursProps = { found: Found; shown: Shown; picture: Picture };

/** The training data nearest to the picture, to see whether it is one of them. */
export function Neighbours(props: NeighboursProps) {
  return (
    <details open>
      <summary>Nearest in the training data</summary>
      {props.found.model.dataset === null ? (
        <p class="quiet">The data that this model was trained on are not on this server.</p>
      ) : (
        <Nearest {...props} />
      )}
    </details>
  );
}

function Nearest({ found, shown, picture }: NeighboursProps) {
  const { drawing, seed, edits, input } = shown;
  const { data, error } = useLoad((signal) => neighboursOf(shown, signal), [JSON.stringify([drawing, seed])]);
  return (
    <div class="stack">
      {(edits.length > 0 || input !== null) && (
        <p class="quiet">Of the seed as it is on the wall, before it was moved or given an input.</p>
      )}
      <ProblemNote error={error} />
      {data && <Verdict answer={data} />}
      {data && (
        <ul class="neighbours">
          {data.data.map((one) => (
            <li key={one.index}>
              <img
                class={pixelated(picture)}
                src={`data:image/png;base64,${one.b64_json}`}
                alt={`Row ${one.index} of ${found.model.dataset}${one.label == null ? "" : `, ${one.label}`}`}
              />
              <span class="quiet number">{measured(one.distance)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Nearer than half of what lies between the data is nearly a copy. */
function Verdict({ answer: { data, typical } }: { answer: Answer }) {
  const nearest = data[0]?.distance;
  if (nearest === undefined || typical === null) return null;
  const copy = nearest < typical / 2;
  return (
    <p class={copy ? "note" : "quiet"}>
      {copy ? "Nearly a copy: " : "No copy: "}
      {measured(nearest)} from the nearest, which lies {measured(typical)} from its own nearest. Distances are shares of
      the range of levels.
    </p>
  );
}
