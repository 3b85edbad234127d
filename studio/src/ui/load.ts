import { useCallback, useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
}

/** What `read` gives, read again whenever `keys` change or `reload` is called; what was read stays until the next is. */
export function useLoad<T>(read: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; error: Error | null; loading: boolean }>({
    data: null,
    error: null,
    loading: true,
  });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    setState((last) => ({ ...last, loading: true }));
    read(gone.signal).then(
      (data) => !gone.signal.aborted && setState({ data, error: null, loading: false }),
      (error: Error) => !gone.signal.aborted && setState((last) => ({ ...last, error, loading: false })),
    );
    return () => gone.abort();
  }, [...keys, turn]);
  return { ...state, reload: useCallback(() => setTurn((last) => last + 1), []) };
}

export interface Doing<A extends readonly unknown[]> {
  run: (...given: A) => void;
  busy: boolean;
  error: Error | null;
}

/** Something the reader asks for: one at a time, and its error kept to be shown. */
export function useDo<A extends readonly unknown[]>(act: (...given: A) => Promise<unknown>): Doing<A> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const run = (...given: A): void => {
    if (busy) return;
    setBusy(true);
    setError(null);
    act(...given)
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return { run, busy, error };
}
