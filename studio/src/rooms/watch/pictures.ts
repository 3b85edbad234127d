// Previews held ready to be shown: fetched and decoded before they are asked for, the oldest let go.
import { ask } from "../../api/client";
import type { LiveJob } from "../../api/live";

const MOST = 160;

export class Pictures {
  private readonly held = new Map<string, Promise<string>>();

  /** An address that an `<img>` shows at once. Throws Refused, Away. */
  load(url: string): Promise<string> {
    const found = this.held.get(url) ?? fetched(url);
    this.held.delete(url);
    this.held.set(url, found);
    found.catch(() => this.held.delete(url));
    for (const oldest of this.held.keys()) {
      if (this.held.size <= MOST) break;
      this.drop(oldest);
    }
    return found;
  }

  clear(): void {
    for (const url of [...this.held.keys()]) this.drop(url);
  }

  private drop(url: string): void {
    this.held.get(url)?.then(URL.revokeObjectURL, () => undefined);
    this.held.delete(url);
  }
}

async function fetched(url: string): Promise<string> {
  const answer = await ask(url.replace(/#.*/, ""), { accept: "image/png" });
  const picture = new Image();
  picture.src = URL.createObjectURL(await answer.blob());
  await picture.decode();
  return picture.src;
}

/** The preview of a job at so many images. A training that recovers paints some anew: the fragment says which it is. */
export function previewAt(live: LiveJob, images: number): string {
  const saved = live.events.value.findLast((event) => event.type === "preview.saved" && event.data.images === images);
  return `/v1/jobs/${live.id}/preview?at=${images}#${saved?.id ?? 0}`;
}

/** Of numbers in order the nearest to another; undefined of none. */
export function nearest(numbers: readonly number[], to: number): number | undefined {
  const after = numbers.findIndex((number) => number >= to);
  if (after < 0) return numbers.at(-1);
  const [low, high] = [numbers[after - 1], numbers[after]];
  return low !== undefined && high !== undefined && to - low < high - to ? low : high;
}
