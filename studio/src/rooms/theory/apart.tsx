// Why the divergence says nothing where two clouds do not overlap: measured on clouds that the reader moves.
import { useEffect, useMemo, useState } from "preact/hooks";
import { type LiveJob, useLive } from "../../api/live";
import { may } from "../../api/session";
import { Chart, COLORS } from "../../ui/chart";
import { RangeField, SelectField } from "../../ui/field";
import { useDo } from "../../ui/load";
import { Progress } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { lasting, measured } from "../../ui/words";
import { I, Inline } from "./math";
import { type Current, FARTHEST, type Measured, Measuring, SHAPES, STEP, SWEEP, snapped } from "./measuring";
import { Plane } from "./plane";
import { NeedsScope } from "./section";

const REST = 700;
/** Milliseconds without a move after which the clouds are at rest, and measured. */
const LOG_2 = Math.log(2);
const [BLUE, ORANGE, GREEN] = COLORS;
const ENDS = [0, FARTHEST] as const;

export function TwoClouds() {
  const [shape, setShape] = useState("discs");
  return (
    <>
      <p>
        Two clouds,{" "}
        <Inline>
          <I>p</I>
        </Inline>{" "}
        (still) and{" "}
        <Inline>
          <I>q</I>
        </Inline>{" "}
        (yours to move). Where they do not overlap, a discriminator is never wrong: V is 0 and the divergence is log 2,
        however near or far they lie. A constant has no gradient. The Wasserstein distance falls with every step.
      </p>
      <p>
        <strong>Drag the orange cloud.</strong> Once it rests, both clouds are sent to the service as datasets, and a
        job trains a discriminator and a critic on them from scratch. What they say of points that neither has seen
        joins the curves.
      </p>
      <Clouds key={shape} shape={shape} choose={setShape} />
    </>
  );
}

function Clouds({ shape, choose }: { shape: string; choose: (shape: string) => void }) {
  const measuring = useMemo(() => new Measuring(shape), [shape]);
  const [distance, setDistance] = useState(2);
  const [touched, setTouched] = useState(0);
  const move = (to: number): void => {
    setDistance(to);
    setTouched((count) => count + 1);
  };
  useEffect(() => {
    void measuring.recall();
    return () => measuring.close();
  }, [measuring]);
  useEffect(() => {
    if (!touched || !may("train")) return undefined;
    const timer = setTimeout(() => measuring.want(snapped(distance)), REST);
    return () => clearTimeout(timer);
  }, [measuring, distance, touched]);

  return (
    <div class="card stack">
      <Plane shape={shape} distance={distance} move={move} rest={() => setDistance(snapped(distance))} />
      <div class="columns">
        <RangeField
          label="Distance"
          value={snapped(distance)}
          min={0}
          max={FARTHEST}
          step={STEP}
          onInput={move}
          hint="The same as dragging; arrow keys move a step."
        />
        <SelectField
          label="Clouds"
          value={shape}
          options={Object.entries(SHAPES).map(([value, { name }]) => ({ value, label: name }))}
          onChange={choose}
          hint={SHAPES[shape]?.about}
        />
      </div>
      <Here measuring={measuring} distance={snapped(distance)} />
      <Sweeping measuring={measuring} />
      <ProblemNote error={measuring.error.value} />
      <Curves found={measuring.found.value} distance={snapped(distance)} />
      <Seen found={measuring.found.value} />
      <Table measuring={measuring} />
    </div>
  );
}

/** What is known at the distance where the cloud is, and what is being done about it. */
function Here({ measuring, distance }: { measuring: Measuring; distance: number }) {
  const found = measuring.found.value.find((one) => one.distance === distance);
  const js = found?.js;
  return (
    <div class="theory-here">
      <dl class="theory-figures">
        <Figure
          name="Jensen–Shannon"
          value={js}
          note={js == null ? "of log 2" : `${Math.round((100 * js) / LOG_2)} % of log 2`}
        />
        <Figure name="Wasserstein, by a critic" value={found?.estimate} />
        <Figure name="Wasserstein, exact" value={found?.exact} />
      </dl>
      <Doing measuring={measuring} distance={distance} known={found !== undefined} />
    </div>
  );
}

function Figure({ name, value, note }: { name: string; value: number | null | undefined; note?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="number">
        {measured(value)} {note && <small class="quiet">{note}</small>}
      </dd>
    </div>
  );
}

function Doing({ measuring, distance, known }: { measuring: Measuring; distance: number; known: boolean }) {
  const current = measuring.current.value;
  const left = measuring.waiting.value.length;
  const [live] = useLive(current?.job ? [current.job] : []);
  const percent = live?.job.value?.progress?.percent;
  const resting = known ? "measured." : may("train") ? "not measured yet. Move the cloud, or sweep." : "not measured.";
  return (
    <div class="theory-doing">
      <p class="quiet" role="status">
        {current
          ? `Measuring at a distance of ${current.distance}${left ? `, then ${left} more` : ""}. ${doing(current, live)}`
          : `At a distance of ${distance}: ${resting}`}
      </p>
      {current && <Progress label="Measurement" share={typeof percent === "number" ? percent / 100 : null} />}
    </div>
  );
}

/** Words that change seldom: a screen reader reads each of them out. */
function doing(current: Current, live: LiveJob | undefined): string {
  if (!current.job) return "The clouds are uploaded and prepared.";
  return live?.job.value?.status === "running"
    ? "A discriminator and a critic are trained."
    : "The job waits for a worker.";
}

function Sweeping({ measuring }: { measuring: Measuring }) {
  if (!may("train")) return <NeedsScope what="Measuring" />;
  const left = SWEEP.filter((one) => !measuring.knows(one)).length;
  return (
    <div class="row">
      {measuring.sweeping.value ? (
        <Progress label="Sweep" share={(SWEEP.length - left) / SWEEP.length} />
      ) : (
        <button type="button" class="primary" disabled={left === 0} onClick={() => measuring.sweep()}>
          Sweep all distances
        </button>
      )}
      {measuring.current.value && (
        <button type="button" onClick={() => void measuring.stop()}>
          Stop
        </button>
      )}
      <span class="quiet">
        {SWEEP.length - left} of {SWEEP.length} distances measured
        {left > 0 && !measuring.sweeping.value && pace(measuring.found.value, left)}
      </span>
    </div>
  );
}

/** How long the rest takes, by what the ones before took. */
function pace(found: readonly Measured[], left: number): string {
  const took = found.map((one) => one.seconds).filter(Number.isFinite);
  if (!took.length) return "";
  return `; the rest takes about ${lasting((left * took.reduce((a, b) => a + b)) / took.length)}`;
}

function Curves({ found, distance }: { found: readonly Measured[]; distance: number }) {
  const x = useMemo(() => found.map((one) => one.distance), [found]);
  const divergence = useMemo(
    () => [{ label: "JS estimate", color: BLUE, dots: true, values: found.map((one) => one.js) }],
    [found],
  );
  const distances = useMemo(
    () => [
      { label: "W estimate", color: ORANGE, dots: true, values: found.map((one) => one.estimate) },
      { label: "W exact", color: GREEN, dash: [6, 4], dots: true, values: found.map((one) => one.exact) },
    ],
    [found],
  );
  const shared = { x, xLabel: "distance", xRange: ENDS, at: distance, sync: "theory-clouds" };
  return (
    <div class="columns">
      <Chart {...shared} title="Jensen–Shannon divergence, nats" lines={divergence} marks={CEILING} />
      <Chart {...shared} title="Wasserstein distance, units of the plane" lines={distances} marks={FLOOR} />
    </div>
  );
}

const CEILING = [
  { y: LOG_2, label: "log 2: told apart without fail" },
  { y: 0, label: "" },
];
const FLOOR = [{ y: 0, label: "" }];

/** What the measurements say, as far as there are any. */
function Seen({ found }: { found: readonly Measured[] }) {
  const js = found.filter((one) => one.js !== null);
  const stuck = js.filter((one) => (one.js ?? 0) > 0.97 * LOG_2);
  const [near, far] = [stuck[0], stuck.at(-1)];
  if (!near || !far || near === far) return null;
  const below = js.filter((one) => one.distance < near.distance).at(-1);
  return (
    <p>
      <strong>What is seen:</strong> from {far.distance} down to {near.distance} the divergence stays at log 2 (
      {measured(far.js)} and {measured(near.js)}), while the Wasserstein estimate goes from {measured(far.estimate)} to{" "}
      {measured(near.estimate)}.{below && ` Only at ${below.distance} has the divergence moved: ${measured(below.js)}.`}
    </p>
  );
}

const COLUMNS = ["Distance", "JS estimate", "W estimate", "W exact", "Job"];

function Table({ measuring }: { measuring: Measuring }) {
  const found = measuring.found.value;
  const forget = useDo(() => measuring.forget());
  if (!found.length) return null;
  return (
    <details>
      <summary>The measured values as a table ({found.length})</summary>
      <div class="scroll">
        <table class="theory-measured">
          <thead>
            <tr>
              {COLUMNS.map((name, i) => (
                <th key={name} scope="col" class={i < 4 ? "number" : ""}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.map((one) => (
              <Row key={one.distance} one={one} />
            ))}
          </tbody>
        </table>
      </div>
      {may("admin") && (
        <button type="button" class="plain" disabled={forget.busy} onClick={forget.run}>
          Forget these, to measure anew
        </button>
      )}
      <ProblemNote error={forget.error} />
    </details>
  );
}

function Row({ one }: { one: Measured }) {
  return (
    <tr>
      {[one.distance, one.js, one.estimate, one.exact].map((value, i) => (
        <td key={COLUMNS[i]} class="number">
          {i === 0 ? value : value === null ? "–" : value.toFixed(3)}
        </td>
      ))}
      <td>
        <a href={`/v1/jobs/${one.job}`}>{lasting(one.seconds)}</a>
      </td>
    </tr>
  );
}
