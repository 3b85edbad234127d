import type { Dataset, Schemas } from "../../api/client";
import { counted } from "../../ui/words";
import { several } from "./words";

type Report = Schemas["Report"];

/** What preparation did with the files: how many it took, and which not and why. */
export function ReportCard({ dataset }: { dataset: Dataset }) {
  const { report, kind } = dataset;
  if (!report) return null;
  const { accepted = 0, skipped_total = 0, duplicates = 0, conditions = [], notes = [] } = report;
  return (
    <section class="card stack" aria-label="Report">
      <h2>What was taken in</h2>
      <dl class="data-facts">
        <Fact term="Accepted" value={accepted} />
        <Fact term="Skipped" value={skipped_total} />
        {kind === "images" && <Fact term="Of these, copies" value={duplicates} />}
      </dl>
      <SkippedFiles report={report} />
      {conditions.length > 0 && (
        <p>
          Each carries {several(conditions.length, "number")}: <code>{conditions.join(", ")}</code>. A model can be
          asked for any of their values.
        </p>
      )}
      {notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
    </section>
  );
}

function Fact({ term, value }: { term: string; value: number }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd class="number">{counted(value)}</dd>
    </div>
  );
}

/** So many skipped files are shown at once; more behind a click. */
const FEW = 6;

function SkippedFiles({ report: { skipped = [], skipped_total = 0 } }: { report: Report }) {
  if (!skipped.length) return <p class="quiet">Nothing had to be left out.</p>;
  const more = skipped_total - skipped.length;
  return (
    <details open={skipped.length <= FEW}>
      <summary>{several(skipped_total, "file")} left out, and why</summary>
      <dl class="data-skipped">
        {skipped.map(({ file, reason }) => (
          <div key={`${file} ${reason}`}>
            <dt>
              <code>{file}</code>
            </dt>
            <dd>{reason}</dd>
          </div>
        ))}
      </dl>
      {more > 0 && <p class="quiet">And {counted(more)} more.</p>}
    </details>
  );
}

// ---- classes ----

type BarsProps = { dataset: Dataset; label: string | null; choose: (label: string | null) => void };

/** The classes by their counts. Of images, each is a button that shows it alone. */
export function ClassBars({ dataset, label, choose }: BarsProps) {
  const counts = dataset.report?.per_class ?? {};
  const most = Math.max(1, ...Object.values(counts));
  const picking = dataset.kind === "images";
  return (
    <section class="card" aria-label="Classes">
      <h2>{several(dataset.classes.length, "class", "classes")}</h2>
      <p class="quiet">
        {balanceOf(dataset.report)} {picking && "Pick one to see it alone."}
      </p>
      <ul class="data-bars">
        {dataset.classes.map((name) => (
          <li key={name}>
            {picking ? (
              <button type="button" aria-pressed={name === label} onClick={() => choose(name === label ? null : name)}>
                <Bar name={name} count={counts[name] ?? 0} most={most} />
              </button>
            ) : (
              <div>
                <Bar name={name} count={counts[name] ?? 0} most={most} />
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Bar({ name, count, most }: { name: string; count: number; most: number }) {
  return (
    <>
      <span class="data-bar" style={{ width: `${(100 * count) / most}%` }} />
      <span>{name}</span>
      <span class="number">{counted(count)}</span>
    </>
  );
}

function balanceOf(report: Report | null): string {
  const balance = report?.balance;
  if (!balance || balance.classes < 2) return "";
  if (balance.ratio < 1.5) return "About equally large.";
  return `The largest has ${balance.ratio.toPrecision(2)} times as many as the smallest.`;
}
