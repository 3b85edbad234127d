import { useState } from "preact/hooks";
import { Refused, remove } from "../../api/client";
import { go, to } from "../../router";
import { useDo } from "../../ui/load";
import { Dialog } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";

export function DeleteButton({ name }: { name: string }) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        Delete
      </button>
      {asking && <Asking name={name} close={() => setAsking(false)} />}
    </>
  );
}

function Asking({ name, close }: { name: string; close: () => void }) {
  const deleted = useDo(async () => {
    await remove(`/v1/datasets/${encodeURIComponent(name)}`);
    go("data");
  });
  const inUse = deleted.error instanceof Refused && deleted.error.problem.status === 409;
  return (
    <Dialog title={`Delete ${name}?`} close={close}>
      <p>The prepared data go from the server for good. Models that were trained on them stay.</p>
      <ProblemNote error={deleted.error} />
      {inUse && (
        <p>
          A job that has not ended still reads it. See <a href={to("watch")}>what is running</a>, wait for it or cancel
          it, and delete then.
        </p>
      )}
      <div class="row">
        <button type="button" class="danger" disabled={deleted.busy} onClick={() => deleted.run()}>
          Delete for good
        </button>
        <button type="button" onClick={close}>
          Keep it
        </button>
      </div>
    </Dialog>
  );
}
