// Where we are: `#/ROOM/ARGUMENT?QUERY`, so that every view has an address that can be sent to somebody.
import { computed, signal } from "@preact/signals";
import { address, type Query } from "./api/client";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

export interface Route {
  room: string;
  argument: string;
  query: URLSearchParams;
}

export const route = computed<Route>(() => {
  const [path = "", query = ""] = hash.value.replace(/^#\/?/, "").split("?", 2);
  const [room = "", ...rest] = path.split("/");
  return { room, argument: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
});

/** The address of a view. */
export function to(room: string, argument = "", query: Query = {}): string {
  return address(`#/${room}${argument && `/${encodeURIComponent(argument)}`}`, query);
}

export function go(room: string, argument = "", query: Query = {}): void {
  location.hash = to(room, argument, query);
}

/** Change the query of this view without a step in the browser's history. */
export function remember(query: Query): void {
  history.replaceState(
    null,
    "",
    to(route.value.room, route.value.argument, { ...Object.fromEntries(route.value.query), ...query }),
  );
  hash.value = location.hash;
}
