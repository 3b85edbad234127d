import { useEffect, useState } from "preact/hooks";
import { connection } from "../api/client";
import { refreshSession, signIn } from "../api/session";
import { TextField } from "../ui/field";
import { useDo } from "../ui/load";
import { ProblemNote } from "../ui/problem";

const AGAIN_SECONDS = 3;

/** While the server is away: says so, and looks whether it is back. */
export function LostBanner() {
  const away = connection.value === "away";
  useEffect(() => {
    if (!away) return undefined;
    const timer = setInterval(() => void refreshSession().catch(() => undefined), AGAIN_SECONDS * 1000);
    return () => clearInterval(timer);
  }, [away]);
  if (!away) return <div role="status" />;
  return (
    <div class="banner" role="status">
      <strong>The server does not answer.</strong> See that it runs (<code>ganymede up</code>). This page looks every{" "}
      {AGAIN_SECONDS} seconds whether it is back; jobs that were running go on without it.
    </div>
  );
}

/** Where a key is needed that has not been given, or no longer holds. */
export function KeyGate() {
  const [key, setKey] = useState("");
  const trade = useDo(signIn);
  return (
    <form
      class="card stack key-gate"
      onSubmit={(event) => {
        event.preventDefault();
        trade.run(key.trim());
      }}
    >
      <h1>This server asks for a key</h1>
      <p>
        Its operator makes one with <code>ganymede keys create NAME --scope read --scope sample --scope train</code>. It
        is traded for a session of twelve hours and not kept in this page; if you had one, it has ended or was revoked.
      </p>
      <TextField
        label="API key"
        type="password"
        autocomplete="off"
        required
        value={key}
        onInput={setKey}
        placeholder="gnm_…"
      />
      <ProblemNote error={trade.error} />
      <div>
        <button type="submit" class="primary" disabled={trade.busy}>
          Come in
        </button>
      </div>
    </form>
  );
}
