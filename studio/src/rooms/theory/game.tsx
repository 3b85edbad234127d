// The game and the divergence that it descends.
import { get, type Job, type List } from "../../api/client";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Status } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { Formula, I, Inline, Mean, N, O, Of, Over, Ratio } from "./math";

const SHOWN = 4;

export function Game() {
  return (
    <>
      <p>Both players move one number, V: D up, G down.</p>
      <Formula>
        <Over word="min">
          <I>G</I>
        </Over>
        <Over word="max">
          <I>D</I>
        </Over>
        <Value />
      </Formula>
      <Formula>
        <Value />
        <O>=</O>
        <Mean over={<I>p</I>}>
          <I>log</I>
          <mspace width="0.15em" />
          <Of f="D">
            <I>y</I>
          </Of>
        </Mean>
        <O>+</O>
        <Mean over={<I>z</I>}>
          <Of f="log">
            <N>1</N>
            <O>−</O>
            <Of f="D">
              <Of f="G">
                <I>z</I>
              </Of>
            </Of>
          </Of>
        </Mean>
      </Formula>
      <p>
        Hold G, whose samples have the density q, against the data’s p. The best D says for each y which share of it is
        real, and what V is then is a distance between the two:
      </p>
      <Formula>
        <Of
          f={
            <msup>
              <I>D</I>
              <O>*</O>
            </msup>
          }
        >
          <I>y</I>
        </Of>
        <O>=</O>
        <Ratio
          over={
            <Of f="p">
              <I>y</I>
            </Of>
          }
          under={
            <>
              <Of f="p">
                <I>y</I>
              </Of>
              <O>+</O>
              <Of f="q">
                <I>y</I>
              </Of>
            </>
          }
        />
      </Formula>
      <Formula>
        <Over word="max">
          <I>D</I>
        </Over>
        <Value />
        <O>=</O>
        <N>2</N>
        <mspace width="0.15em" />
        <Of f="JSD">
          <I>p</I>
          <O>‖</O>
          <I>q</I>
        </Of>
        <O>−</O>
        <I>log</I>
        <mspace width="0.15em" />
        <N>4</N>
      </Formula>
      <p>
        So G descends the Jensen–Shannon divergence, which is 0 where the two are alike and log 2 ≈ 0.693 where they
        have nothing in common. Any D gives a lower bound of it: that is <code>js_estimate</code>, and V itself is{" "}
        <code>value</code>, both measured on held-out data in every report of a training.
      </p>
      <Trainings />
    </>
  );
}

function Value() {
  return (
    <Of f="V">
      <I>G</I>
      <O>,</O>
      <I>D</I>
    </Of>
  );
}

/** Trainings in which both can be watched, or how to come by one. */
function Trainings() {
  const query = { type: "train", limit: SHOWN };
  const { data, error, reload } = useLoad((signal) => get<List<Job>>("/v1/jobs", query, signal), []);
  if (error) return <ProblemNote error={error} retry={reload} />;
  if (!data) return null;
  if (!data.data.length)
    return (
      <p>
        Nothing has been trained here yet.{" "}
        <a href={to("train", "", { recipe: "minimax" })}>Train the game as it stands</a> (recipe minimax) and watch both
        numbers, or let <a href="#/theory?at=ring">seven recipes learn a ring</a> below.
      </p>
    );
  return (
    <div>
      <p>
        Watch{" "}
        <Inline>
          <I>V</I>
        </Inline>{" "}
        and the divergence of a training:
      </p>
      <ul class="theory-trainings">
        {data.data.map((job) => (
          <li key={job.id}>
            <a href={to("watch", job.id)}>{job.model ?? job.id}</a> <span class="quiet">{`${job.spec.recipe}`}</span>{" "}
            <Status status={job.status} />
          </li>
        ))}
      </ul>
    </div>
  );
}
