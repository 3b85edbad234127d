// Who calls: a key traded for a cookie that no script can read, and whether there is any need of one.
import { signal } from "@preact/signals";
import { connection, get, post, remove, type Schemas } from "./client";

export type Session = Schemas["Session"];

/** As the server sees us; null until it was asked. */
export const session = signal<Session | null>(null);

export async function refreshSession(): Promise<void> {
  session.value = await get<Session>("/v1/session");
  const { keys_required, key } = session.value;
  connection.value = keys_required && key === null ? "locked" : "ok";
}

/** Throws Refused where the key is none. */
export async function signIn(key: string): Promise<void> {
  session.value = await post<Session>("/v1/session", { key });
  connection.value = "ok";
}

export async function signOut(): Promise<void> {
  await remove("/v1/session");
  await refreshSession();
}

/** Whether the caller may do what needs this scope; nothing is known before the session is. */
export function may(scope: "read" | "sample" | "train" | "admin"): boolean {
  const scopes = session.value?.scopes ?? [];
  return scopes.includes(scope) || scopes.includes("admin");
}
