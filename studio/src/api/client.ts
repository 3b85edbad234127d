// The one door to the service: typed answers, refusals as `Refused`, an absent server as `Away`. Every write carries an
// Idempotency-Key, so that a lost answer is asked for again without making anything twice.
import { signal } from "@preact/signals";
import type { components } from "./schema";

export type Schemas = components["schemas"];
export type Job = Schemas["Job"];
export type Model = Schemas["Model"];
export type Dataset = Schemas["Dataset"];
export type Problem = Schemas["Problem"];
export type Event = Schemas["Event"];
export interface List<T> {
  data: T[];
  has_more: boolean;
  last_id: string | null;
}

/** A call that the server understood and refused; `problem` is its own account (RFC 9457). */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

/** Nobody answered: the server is away, or the network to it. */
export class Away extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

/** `ok`; `away` while nobody answers; `locked` where a key is needed that has not been given, or no longer holds. */
export const connection = signal<"ok" | "away" | "locked">("ok");

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  /** A body to be sent as JSON. */
  json?: unknown;
  form?: FormData;
  /** What to answer with; JSON unless said. */
  accept?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** `/v1/jobs` and its query as an address; values that are null or undefined are left out. */
export function address(path: string, query: Query = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== null && one !== undefined) given.append(name, `${one}`);
  }
  return given.size ? `${path}?${given}` : path;
}

/** A word that no other write has; `crypto.randomUUID` is missing on pages that came over plain HTTP from afar. */
export function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const PAUSES = [300, 1000, 2500];
/** Milliseconds before each further try of a call that nobody answered. */

/** The answer to a call, whose status is below 400. Throws Refused, Away, and AbortError where `signal` says so. */
export async function ask(path: string, options: Ask = {}): Promise<Response> {
  const { method = "GET", query, json, form, accept = "application/json", signal } = options;
  const headers: Record<string, string> = { Accept: accept, ...options.headers };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["Idempotency-Key"] ??= freshKey();
  const body = json === undefined ? (form ?? null) : JSON.stringify(json);
  const request: RequestInit = { method, headers, body, credentials: "same-origin", signal: signal ?? null };
  return settled(await answered(address(path, query), request));
}

async function answered(url: string, request: RequestInit): Promise<Response> {
  for (const pause of [...PAUSES, null]) {
    try {
      const answer = await fetch(url, request);
      if (connection.value === "away") connection.value = "ok";
      return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      if (pause === null) break;
      await new Promise((go) => setTimeout(go, pause));
    }
  }
  connection.value = "away";
  throw new Away();
}

async function settled(answer: Response): Promise<Response> {
  if (answer.ok || answer.status === 304) return answer;
  const problem = await problemOf(answer);
  if (answer.status === 401) connection.value = "locked";
  throw new Refused(problem);
}

/** The problem document of an answer; one made of its status where it has none (a proxy's page, say). */
export async function problemOf(answer: Response): Promise<Problem> {
  try {
    const found = (await answer.json()) as Problem;
    if (typeof found.title === "string") return found;
  } catch {
    // not JSON
  }
  const title = `The server answered ${answer.status}`;
  return { type: "about:blank", title, status: answer.status, detail: title, code: "unknown" } as Problem;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, { query, ...(signal && { signal }) })).json()) as T;
}

/** `json` posted, and the resource that it made. */
export async function post<T>(path: string, json?: unknown, options: Ask = {}): Promise<T> {
  return (await (await ask(path, { method: "POST", json, ...options })).json()) as T;
}

export async function remove(path: string): Promise<void> {
  await ask(path, { method: "DELETE" });
}

/** All of a listing, page after page, up to `most`. */
export async function every<T extends { id: string }>(
  path: string,
  query: Query = {},
  most = 200,
  signal?: AbortSignal,
): Promise<T[]> {
  const found: T[] = [];
  let after: string | null = null;
  do {
    const page: List<T> = await get<List<T>>(path, { limit: 100, ...query, after }, signal);
    found.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after && found.length < most);
  return found;
}

/** A form sent with word of how much of it has left, 0 to 1, which `fetch` cannot give. Throws Refused, Away. */
export function upload<T>(
  path: string,
  form: FormData,
  progress: (share: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.setRequestHeader("Accept", "application/json");
    call.setRequestHeader("Idempotency-Key", freshKey());
    call.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    call.onload = () => {
      const answer = new Response(call.responseText, { status: call.status });
      settled(answer)
        .then((found) => found.json() as Promise<T>)
        .then(resolve, reject);
    };
    call.onerror = () => reject(new Away());
    call.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal?.addEventListener("abort", () => call.abort());
    call.send(form);
  });
}
