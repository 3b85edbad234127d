import { Away, Refused } from "../api/client";

/** What went wrong, in the server's words, with what may be done about it. Null shows nothing. */
export function ProblemNote({ error, retry }: { error: Error | null; retry?: () => void }) {
  if (!error || error.name === "AbortError") return null;
  return (
    <div class="problem" role="alert">
      <strong>{titleOf(error)}</strong>
      <p>{adviceOn(error)}</p>
      {error instanceof Refused && <FieldErrors error={error} />}
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

function FieldErrors({ error }: { error: Refused }) {
  const errors = error.problem.errors ?? [];
  if (errors.length < 2) return null;
  return (
    <ul>
      {errors.map(({ pointer, message }) => (
        <li key={pointer}>
          <code>{pointer}</code>: {message}
        </li>
      ))}
    </ul>
  );
}

function titleOf(error: Error): string {
  if (error instanceof Refused) return error.problem.title;
  return error instanceof Away ? error.message : "Something went wrong in this page";
}

function adviceOn(error: Error): string {
  if (error instanceof Away) return "See that it runs (ganymede up, or ask who runs it), then try again.";
  return error.message;
}

/** The message about one field of a request, if the server named it, or an entry of it: `batch_size`, `network.width`. */
export function wrongAt(error: Error | null, field: string): string | undefined {
  if (!(error instanceof Refused)) return undefined;
  const { param, detail, errors } = error.problem;
  const place = `/${field.replaceAll(".", "/")}`;
  const found = errors?.find(({ pointer }) => pointer.endsWith(place) || pointer.startsWith(`${place}/`));
  return found?.message ?? (param === field ? (detail ?? undefined) : undefined);
}
