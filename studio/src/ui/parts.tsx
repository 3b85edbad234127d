import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Job } from "../api/client";

/** What a room shows where there is nothing yet: why, and what to do. */
export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** `share` is in [0, 1]; null while nobody knows. */
export function Progress({ label, share }: { label: string; share: number | null }) {
  return share === null ? <progress aria-label={label} /> : <progress aria-label={label} value={share} max={1} />;
}

const MOODS: Record<string, string> = {
  succeeded: "good",
  ready: "good",
  failed: "bad",
  cancelled: "warn",
  paused: "warn",
  running: "busy",
  preparing: "busy",
};

export function Status({ status }: { status: Job["status"] | "preparing" | "ready" }) {
  return <span class={`badge ${MOODS[status] ?? ""}`}>{status}</span>;
}

/** What may be wider than the screen, a table say: it scrolls by itself, also by the keyboard. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it with the arrow keys
    <section class="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

/** A button that copies a text and says so. */
export function CopyButton({ text, children = "Copy" }: { text: string; children?: ComponentChildren }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button type="button" onClick={() => void copy(text).then(setCopied)}>
      <span aria-live="polite">{copied ? "Copied" : children}</span>
    </button>
  );
}

/** Whether it went; pages from afar without TLS have no clipboard but the old command. */
async function copy(text: string): Promise<boolean> {
  if (navigator.clipboard)
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

/** A modal dialog; `close` is called however it ends. */
export function Dialog({ title, close, children }: { title: string; close?: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={() => close?.()}
      onCancel={(event) => {
        if (!close) event.preventDefault();
      }}
    >
      <div class="stack">
        <div class="row apart">
          <h2>{title}</h2>
          {close && (
            <button type="button" class="plain" onClick={close}>
              Close
            </button>
          )}
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** Bytes downloaded under a name. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
