// A folder as a zip, made in the page. Images are compressed already and are stored as they are; what becomes of them in
// the zip is a reference to the file on disk, so that a folder of gigabytes needs no memory for it.
import { Zip, ZipPassThrough } from "fflate";
import { type Placed, Unusable } from "./gather";

/** Bytes that are read at once; their checksum takes a few milliseconds. */
const STEP = 2 ** 20;
/** Pieces that are asked for before they are needed: to open a file takes longer than to read a small one. */
const AHEAD = 24;
/** What the plain form of a zip can hold, which is the one written here. */
const MOST_FILES = 65_535;
const MOST_BYTES = 2 ** 32 - 2 ** 27;
const TOO_MUCH =
  "This is more than a page can pack (65,535 files, 4 GB): zip it with another program, then drop the zip.";

/** `told` hears the share that is done, at every percent. Throws Unusable, and AbortError where `signal` says so. */
export async function packed(
  files: readonly Placed[],
  told: (share: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > MOST_FILES || total > MOST_BYTES) throw new Unusable(TOO_MUCH);
  const zip = new Growing();
  let [done, said] = [0, 0];
  for await (const { piece, bytes } of read(files)) {
    signal.throwIfAborted();
    zip.add(piece, bytes);
    done += bytes.length;
    if (done - said < total / 100) continue;
    said = done;
    told(done / total);
  }
  return zip.finish();
}

/** A zip whose parts are headers, and slices of the files themselves in place of what was read of them. */
class Growing {
  private readonly parts: BlobPart[] = [];
  private adding: { bytes: Uint8Array; from: Blob } | null = null;
  private entry = new ZipPassThrough("");
  private readonly zip = new Zip((error, given) => {
    if (error) throw error;
    this.parts.push(this.adding && given === this.adding.bytes ? this.adding.from : given);
  });

  add({ path, from, first, last }: Piece, bytes: Uint8Array): void {
    this.adding = { bytes, from };
    if (first) {
      this.entry = new ZipPassThrough(path);
      this.zip.add(this.entry);
    }
    this.entry.push(bytes, last);
  }

  finish(): Blob {
    this.zip.end();
    return new Blob(this.parts, { type: "application/zip" });
  }
}

// ---- reading ----

/** A part of a file; an empty file has one, too. */
interface Piece {
  path: string;
  from: Blob;
  first: boolean;
  last: boolean;
}

function* pieces(files: readonly Placed[]): Generator<Piece> {
  for (const { path, file } of files) {
    for (let at = 0; at === 0 || at < file.size; at += STEP)
      yield { path, from: file.slice(at, at + STEP), first: at === 0, last: at + STEP >= file.size };
  }
}

/** All pieces with their bytes, in order, some of them read ahead. */
async function* read(files: readonly Placed[]): AsyncGenerator<{ piece: Piece; bytes: Uint8Array }> {
  const asked: { piece: Piece; bytes: Promise<Uint8Array> }[] = [];
  const all = pieces(files);
  for (;;) {
    while (asked.length < AHEAD) {
      const { value: piece } = all.next();
      if (!piece) break;
      const bytes = bytesOf(piece);
      bytes.catch(() => undefined); // it is heard of when its turn comes, if ever
      asked.push({ piece, bytes });
    }
    const next = asked.shift();
    if (!next) return;
    yield { piece: next.piece, bytes: await next.bytes };
  }
}

async function bytesOf({ from, path }: Piece): Promise<Uint8Array> {
  try {
    return new Uint8Array(await from.arrayBuffer());
  } catch {
    throw new Unusable(`${path} cannot be read any more: was it moved or changed meanwhile? Choose the folder anew.`);
  }
}
