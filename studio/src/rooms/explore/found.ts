// What the room's address names: a model, and one of its checkpoints.
import { ask, get, type Model, type Schemas } from "../../api/client";

export type Checkpoint = Schemas["Checkpoint"];

export interface Found {
  model: Model;
  /** As the address has it: `best`, `120000`, a `ckpt_` id; empty: the newest. */
  at: string;
  /** Null where the model has none such. */
  checkpoint: Checkpoint | null;
}

/** What `digits`, `digits@best`, `digits@120000` or `ckpt_…` means. Throws Refused. */
export async function find(reference: string, signal?: AbortSignal): Promise<Found> {
  if (reference.startsWith("ckpt_")) return findCheckpoint(reference);
  const [name = "", at = ""] = reference.split("@", 2);
  const model = await get<Model>(`/v1/models/${encodeURIComponent(name)}`, {}, signal);
  return { model, at, checkpoint: meant(model, at) };
}

/** Models are asked for by name alone, but a picture of a checkpoint says whose it is. */
async function findCheckpoint(id: string): Promise<Found> {
  const picture = await ask(`/v1/models/${encodeURIComponent(id)}/images/0.png`, { accept: "image/png" });
  return find(`${picture.headers.get("X-Ganymede-Model")}@${id}`);
}

function meant(model: Model, at: string): Checkpoint | null {
  if (at === "") return model.checkpoints[0] ?? null;
  const id = at === "best" ? model.best : at;
  return model.checkpoints.find((one) => one.id === id || `${one.images}` === at) ?? null;
}

export type Picture = { width: number; height: number; channels: number };

/** The size of what a model makes; null for points. */
export function pictureOfModel(model: Model): Picture | null {
  const { shape } = model.network;
  return shape.kind === "images" ? shape : null;
}

/** Up to this many pixels a side pictures are shown as squares: their pixels are meant to be seen. */
const PIXELS_SEEN = 64;

export function pixelated(picture: Picture): string {
  return Math.max(picture.width, picture.height) <= PIXELS_SEEN ? "pixels" : "";
}
