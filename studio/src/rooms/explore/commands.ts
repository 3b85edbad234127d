// The same thing elsewhere: what a reader sees here, as curl, as Python, and, where it has an address, as `<img>`.
import { session } from "../../api/session";
import type { Snippet } from "../../ui/snippets";
import type { Body } from "./drawing";

export interface Call {
  path: "/v1/samples" | "/v1/interpolations";
  json: Body;
  /** What is asked for, and the file that it goes to. */
  accept: string;
  file: string;
  /** Where the same bytes have an address: that, and words for who does not see them. */
  at?: { address: string; alt: string };
}

const SERVER = "GANYMEDE_URL";

/** A word for a POSIX shell, in which nothing is special. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A value as Python writes it. JSON's strings and numbers are Python's too. */
export function pythonic(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonic).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, inner]) => `${JSON.stringify(name)}: ${pythonic(inner)}`)
    .join(", ")}}`;
}

function curl({ path, json, accept, file, at }: Call): string {
  const lines = [`curl -fsS "$${SERVER}${at?.address ?? path}"`];
  if (session.value?.keys_required) lines.push('-H "Authorization: Bearer $GANYMEDE_API_KEY"');
  if (!at)
    lines.push(`-H 'Content-Type: application/json' -H 'Accept: ${accept}'`, `-d ${quoted(JSON.stringify(json))}`);
  lines.push(`-o ${quoted(file)}`);
  return `${SERVER}=${quoted(location.origin)}\n${lines.join(" \\\n  ")}\n`;
}

function python({ path, json, accept, file }: Call): string {
  const key = session.value?.keys_required ? "  # the key is read from GANYMEDE_API_KEY" : "";
  const what = path === "/v1/samples" ? "samples" : "interpolations";
  return [
    "from ganymede import Client",
    "",
    `with Client(${JSON.stringify(location.origin)}) as client:${key}`,
    `    client.${what}.save(${pythonic(json)}, ${JSON.stringify(file)}, ${JSON.stringify(accept)})`,
    "",
  ].join("\n");
}

function markup({ at }: Call): string | null {
  if (!at) return null;
  const text = (word: string): string => word.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<img src="${text(location.origin + at.address)}" alt="${text(at.alt)}">\n`;
}

export function snippets(call: Call): Snippet[] {
  const img = markup(call);
  const both = [
    { name: "curl", text: curl(call) },
    { name: "Python", text: python(call) },
  ];
  return img ? [...both, { name: "<img>", text: img }] : both;
}
