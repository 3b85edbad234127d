// A folder as a zip, made in the page. Images are compressed already and are stored as they are; what becomes of them in
// the zip is a reference to the file on disk, so that a folder of gigabytes needs no memory for it.
import { Zip, ZipPassThrough } from "fflate";
import { type Placed, Unusable } from "./gather";

/** Bytes that are read at once; their checksum takes a few milliseconds. */
const STEP = 2 ** 20;
/** What the plain form of a zip can hold, which is the one written here. */
const MOST_FILES = 65_535;
const MOST_BYTES = 2 ** 32 - 2 ** 27;

/** `told` hears the share that is done. Throws Unusable, and AbortError where `signal` says so. */
export async function packed(
  files: readonly Placed[],
  told: (share: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > MOST_FILES || total > MOST_BYTES)
    throw new Unusable(
      "This is more than a page can pack (65,535 files, 4 GB): zip it with another program, then drop the zip.",
    );
  const zip = new Growing();
  let done = 0;
  for (const { path, file } of files) {
    await zip.add(path, file, (bytes) => {
      signal.throwIfAborted();
      done += bytes;
      told(total ? done / total : 1);
    });
  }
  return zip.finish();
}

/** A zip whose parts are headers, and slices of the files themselves in place of what was read of them. */
class Growing {
  private readonly parts: BlobPart[] = [];
  private read: { bytes: Uint8Array; from: Blob } | null = null;
  private readonly zip = new Zip((error, piece) => {
    if (error) throw error;
    this.parts.push(this.read && piece === this.read.bytes ? this.read.from : piece);
  });

  async add(path: string, file: File, told: (bytes: number) => void): Promise<void> {
    const entry = new ZipPassThrough(path);
    this.zip.add(entry);
    let at = 0;
    do {
      const from = file.slice(at, at + STEP);
      this.read = { bytes: new Uint8Array(await bytesOf(from, path)), from };
      at += from.size;
      entry.push(this.read.bytes, at >= file.size);
      told(from.size);
    } while (at < file.size);
  }

  finish(): Blob {
    this.zip.end();
    return new Blob(this.parts, { type: "application/zip" });
  }
}

async function bytesOf(blob: Blob, path: string): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch {
    throw new Unusable(`${path} cannot be read any more: was it moved or changed meanwhile? Choose the folder anew.`);
  }
}
