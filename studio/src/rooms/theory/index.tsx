import { useEffect, useState } from "preact/hooks";
import type { RoomProps } from "../../app";
import { inTurn } from "../../ui/turns";
import { TwoClouds } from "./apart";
import { Interpolation, Lipschitz, OneInput, TwoPlayers } from "./basics";
import { Game } from "./game";
import { Rings } from "./ring";
import { Contents, Section } from "./section";
import "./style.css";

/** In the order of docs/theory.md. */
const SECTIONS = [
  { id: "outputs", title: "One input, many outputs", body: OneInput },
  { id: "players", title: "Two players, in turns", body: TwoPlayers },
  { id: "interpolation", title: "Interpolation", body: Interpolation },
  { id: "game", title: "The game and its divergence", body: Game },
  { id: "apart", title: "Where the two do not overlap", body: TwoClouds },
  { id: "wasserstein", title: "The Wasserstein distance", body: Lipschitz },
  { id: "ring", title: "Seven recipes learn a ring", body: Rings },
];

/** How many of the sections stand in the page: one more a frame, since all at once would take long. */
function useOneByOne(all: number): number {
  const [count, more] = useState(1);
  useEffect(() => (count < all ? inTurn(() => more(count + 1)) : undefined), [count]);
  return count;
}

export function TheoryRoom(_: RoomProps) {
  const there = useOneByOne(SECTIONS.length);
  return (
    <div class="theory">
      <Contents sections={SECTIONS} />
      <div class="theory-text">
        <h1>The theory, at work</h1>
        {SECTIONS.slice(0, there).map(({ id, title, body: Body }) => (
          <Section key={id} id={id} title={title}>
            <Body />
          </Section>
        ))}
      </div>
    </div>
  );
}
