// Numbers and times as people read them.

/** 12800 → `12,800`. */
export function counted(number: number): string {
  return Math.round(number).toLocaleString("en");
}

/** Seconds → `45 s`, `3 min`, `2 h 5 min`. */
export function lasting(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes → `3.4 MB`. */
export function sized(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return step === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** step).toPrecision(3)} ${units[step]}`;
}

/** A time of the API → the reader's local time. */
export function moment(time: string | null): string {
  return time === null ? "–" : new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A measured number with three digits; `–` for what could not be estimated. */
export function measured(value: unknown): string {
  return typeof value === "number" && Number.isFinite(value) ? `${+value.toPrecision(3)}` : "–";
}
