// What somebody dropped or picked, told apart: one file that the server reads as it is, or images that are to be packed.

/** A file and where it lay: its path below what was dropped, with forward slashes. */
export interface Placed {
  path: string;
  file: File;
}

/** `left` are files that are no part of it, by path. `name` is what the data might be called. */
export interface Source {
  kind: "zip" | "points" | "images";
  name: string;
  files: readonly Placed[];
  left: readonly string[];
}

/** Nothing of what was given can be used; the message says what can. */
export class Unusable extends Error {}

const IMAGE = /\.(png|jpe?g|webp)$/i;
const READ_AS_IT_IS = /\.(zip|npy|csv)$/i;
const LABELS = /(^|\/)labels\.csv$/i;
const JUNK = /^(\..*|__MACOSX|Thumbs\.db|desktop\.ini)$/i;

/** Throws Unusable. */
export function gathered(given: readonly Placed[]): Source {
  const seen = given.filter(({ path }) => !path.split("/").some((part) => JUNK.test(part)));
  const images = seen.filter(({ path }) => IMAGE.test(path));
  return images.length ? ofImages(seen, images.length) : ofOneFile(seen);
}

function ofImages(seen: readonly Placed[], count: number): Source {
  const around = folderAround(seen.map(({ path }) => path));
  const inside = seen.map(({ path, file }) => ({ path: path.slice(around.length), file }));
  const belongs = ({ path }: Placed): boolean => IMAGE.test(path) || LABELS.test(path);
  const files = inside.filter(belongs);
  const left = inside.filter((one) => !belongs(one)).map(({ path }) => path);
  const name = around.split("/")[0] || (count === 1 ? stem(seen[0]?.path ?? "") : "images");
  return { kind: "images", name: named(name), files, left };
}

function ofOneFile(seen: readonly Placed[]): Source {
  const usable = seen.filter(({ path }) => READ_AS_IT_IS.test(path));
  const [one] = usable;
  if (!one) throw new Unusable(nothingIn(seen));
  if (usable.length > 1) {
    const some = usable.slice(0, 3).map(({ file }) => file.name);
    throw new Unusable(
      `${some.join(", ")}${usable.length > 3 ? ", …" : ""}: each of these would be a dataset of its own. Drop one of them.`,
    );
  }
  const kind = /\.zip$/i.test(one.path) ? "zip" : "points";
  const left = seen.filter((other) => other !== one).map(({ path }) => path);
  return { kind, name: named(stem(one.file.name)), files: [one], left };
}

function nothingIn(seen: readonly Placed[]): string {
  const read = "PNG, JPEG and WebP images are read, zips of them, and points as .npy or .csv.";
  if (!seen.length) return `There is no file in it. ${read}`;
  const some = seen.slice(0, 3).map(({ file }) => file.name);
  return `Nothing of this can be read: ${some.join(", ")}${seen.length > 3 ? ` and ${seen.length - 3} more` : ""}. ${read}`;
}

/** The folder that holds all of these, with its slash; empty where there is none. */
function folderAround(paths: readonly string[]): string {
  const first = paths[0]?.split("/") ?? [];
  const around = first.length > 1 ? `${first[0]}/` : "";
  return paths.every((path) => path.startsWith(around)) ? around : "";
}

function stem(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.[^.]*$/, "");
}

/** A name that the server takes, made of any words; empty where nothing is left. */
export function named(words: string): string {
  const plain = words.normalize("NFKD").replace(/[^\x20-\x7e]/g, "");
  const name = plain.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-._]+|[-._]+$/g, "");
  return name.replace(/^(ds|job|mdl|ckpt)_/, "$1-").slice(0, 90);
}

/** `faces`, or `faces-2` where that is taken already, and so on. */
export function free(name: string, taken: ReadonlySet<string>): string {
  let found = name;
  for (let number = 2; taken.has(found); number++) found = `${name}-${number}`;
  return found;
}

// ---- out of a browser's hands ----

/** The files of an `<input type="file">`, of a folder with their paths. */
export function picked(files: FileList | null): Placed[] {
  return Array.from(files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** The files of a drop, folders looked through. To be called in the event itself: afterwards the browser forgets. */
export async function dropped(transfer: DataTransfer): Promise<Placed[]> {
  const found = Array.from(transfer.items, (item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const lists = found.map(({ entry, file }) => (entry ? below(entry, "") : file ? [{ path: file.name, file }] : []));
  return (await Promise.all(lists)).flat();
}

async function below(entry: FileSystemEntry, around: string): Promise<Placed[]> {
  const path = around + entry.name;
  if (JUNK.test(entry.name)) return [];
  if (entry.isFile)
    return [{ path, file: await new Promise<File>((...then) => (entry as FileSystemFileEntry).file(...then)) }];
  const found: Placed[] = [];
  for (const inner of await listed(entry as FileSystemDirectoryEntry)) found.push(...(await below(inner, `${path}/`)));
  return found;
}

/** All entries of a folder, of which a browser gives a hundred at a time. */
async function listed(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((...then) => reader.readEntries(...then));
    if (!some.length) return found;
    found.push(...some);
  }
}
