import { type LiveJob, useLive } from "../../api/live";
import type { RoomProps } from "../../app";
import { to } from "../../router";
import { Checkpoints } from "./checkpoints";
import { Curves } from "./curves";
import { Happened } from "./happened";
import { Head } from "./head";
import { Jobs } from "./list";
import { useReel } from "./reel";
import { Result } from "./results";
import { colorAt, MOST_TOGETHER } from "./series";
import "./style.css";
import { Walls } from "./wall";

/** `#/watch`: all jobs. `#/watch/JOB`: one, as it happens. `#/watch/JOB,JOB`: several, laid over one another. */
export function WatchRoom({ argument }: RoomProps) {
  const ids = [...new Set(argument.split(",").filter(Boolean))].slice(0, MOST_TOGETHER);
  return ids.length ? <Watched ids={ids} /> : <Jobs />;
}

function Watched({ ids }: { ids: readonly string[] }) {
  const lives = useLive(ids);
  const several = lives.length > 1;
  const there = lives.filter((live) => !live.refused.value);
  const trainings = there.filter((live) => live.job.value?.type === "train");
  return (
    <div class="stack watch">
      <a class="quiet" href={to("watch")}>
        ← All jobs
      </a>
      {several && <h1>{lives.length} trainings compared</h1>}
      <div class={several ? "columns" : "stack"}>
        {lives.map((live, place) => (
          <Head key={live.id} live={live} color={several ? colorAt(place) : null} />
        ))}
      </div>
      {there.map((live) => live.job.value && <Result key={live.id} job={live.job.value} />)}
      {trainings.length > 0 && <Trainings lives={trainings} />}
    </div>
  );
}

function Trainings({ lives }: { lives: readonly LiveJob[] }) {
  const reel = useReel(lives);
  return (
    <div class={lives.length > 1 ? "stack" : "learning"}>
      <div class="stack seen">
        <Walls lives={lives} reel={reel} />
        <Happened lives={lives} reel={reel} />
        {lives.map((live) => lives.length === 1 && <Checkpoints key={live.id} live={live} />)}
      </div>
      <Curves lives={lives} reel={reel} />
    </div>
  );
}
