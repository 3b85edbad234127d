import { useEffect, useState } from "preact/hooks";
import { type Job, post, type Schemas } from "../../api/client";
import { TERMINAL, useLive } from "../../api/live";
import { Progress } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { base64, type Drawing } from "./drawing";
import type { PhotoEnd } from "./ends";

export const PHOTOGRAPHS = "image/png,image/jpeg,image/webp";

/** Larger files are made smaller here: a request holds 16 MiB, and base64 makes four bytes of three. */
const LARGEST = 8 * 2 ** 20;
const SMALLER_SIDE = 2048;

async function slight(file: Blob): Promise<Blob> {
  if (file.size <= LARGEST) return file;
  const picture = await createImageBitmap(file);
  const share = Math.min(1, SMALLER_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * share);
  canvas.height = Math.round(picture.height * share);
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("This picture cannot be read."))), "image/jpeg");
  });
}

async function queued(file: File, drawing: Drawing, input: string | null, signal: AbortSignal): Promise<string> {
  const { model, label, ema, condition } = drawing;
  const given = { ...(label !== null && { labels: [label] }), ...(ema !== null && { ema }) };
  const under = { ...(condition && { condition }), ...(input !== null && { inputs: [input] }) };
  const body = { model, images: [await base64(await slight(file))], ...given, ...under };
  return (await post<Job>("/v1/projections", body, { signal })).id;
}

type PhotoProps = {
  file: File;
  drawing: Drawing;
  input: string | null;
  done: (end: PhotoEnd) => void;
  drop: () => void;
};

/** A photograph on its way to a latent: queued, looked for, found. */
export function Photo({ file, drawing, input, done, drop }: PhotoProps) {
  const [job, setJob] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    queued(file, drawing, input, gone.signal).then(setJob, (reason: Error) => !gone.signal.aborted && setError(reason));
    return () => gone.abort();
  }, [file]);
  return (
    <div class="stack" role="status">
      <span class="quiet">Looking for the model’s picture nearest to {file.name}</span>
      {!error &&
        (job ? (
          <Search id={job} file={file} done={done} failed={setError} />
        ) : (
          <Progress label="Sending" share={null} />
        ))}
      <ProblemNote error={error} />
      <div>
        <button type="button" onClick={drop}>
          {error ? "Take another" : "Give up"}
        </button>
      </div>
    </div>
  );
}

type SearchProps = { id: string; file: File; done: (end: PhotoEnd) => void; failed: (error: Error) => void };

/** The job that looks for it, as it goes. */
function Search({ id, file, done, failed }: SearchProps) {
  const [live] = useLive([id]);
  const job = live?.job.value ?? null;
  const refused = live?.refused.value ?? null;
  useEffect(() => {
    if (refused) failed(refused);
    else if (job && TERMINAL.has(job.status)) settle(job, file, done, failed);
  }, [job, refused]);
  const percent = job?.progress?.percent ?? 0;
  return <Progress label={`Looking for ${file.name}`} share={percent > 0 ? percent / 100 : null} />;
}

function settle(job: Job, file: File, done: SearchProps["done"], failed: SearchProps["failed"]): void {
  const row = (job.result as Schemas["Projection"] | null | undefined)?.data[0];
  if (!row) failed(new Error(job.error?.message ?? `The search was ${job.status}.`));
  else
    done({
      kind: "photo",
      name: file.name,
      picture: file,
      latent: row.latent,
      label: row.label,
      distance: row.distance,
    });
}
