// Points made in the page as datasets of the service: uploaded once, found again by name.
import { ask, type Dataset, every, post, Refused, remove } from "../../api/client";
import { may } from "../../api/session";
import { npy, type Points } from "./clouds";

const MOST_DATASETS = 2000;
/** Of a listing that is looked through for a name. */

/** The dataset of that name, ready; made of `points` where there is none. Throws Refused, Away, AbortError, Error. */
export async function dataset(name: string, points: () => Points, signal: AbortSignal): Promise<Dataset> {
  const there = (await every<Dataset>("/v1/datasets", {}, MOST_DATASETS)).some((known) => known.name === name);
  if (!there) await upload(name, points());
  return prepared(name, signal);
}

/** Two pages may make the same at once: it is the same points then. */
async function upload(name: string, points: Points): Promise<void> {
  const form = new FormData();
  form.append("name", name);
  form.append("file", new Blob([npy(points)]), `${name}.npy`);
  await post("/v1/datasets", undefined, { form }).catch((error) => {
    if (!(error instanceof Refused && error.problem.status === 409)) throw error;
  });
}

async function prepared(name: string, signal: AbortSignal): Promise<Dataset> {
  for (;;) {
    const answer = await ask(`/v1/datasets/${name}`, { headers: { Prefer: "wait=60" }, signal });
    const found = (await answer.json()) as Dataset;
    if (found.status === "ready") return found;
    if (found.status === "failed") throw new Error(`Dataset ${name} could not be prepared: ${found.error?.message}`);
  }
}

/** Deletes one where the reader may; a dataset that is still needed, or gone already, is left as it is. */
export async function discard(path: string): Promise<void> {
  if (!may("admin")) return;
  await remove(path).catch((error) => {
    if (!(error instanceof Refused)) throw error;
  });
}
