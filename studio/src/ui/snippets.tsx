import { useId, useState } from "preact/hooks";
import { CopyButton } from "./parts";

export interface Snippet {
  name: string;
  text: string;
}

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };

/** The same thing in several languages: a tab each, and a button that copies what is shown. */
export function Snippets({ label, snippets }: { label: string; snippets: readonly Snippet[] }) {
  const id = useId();
  const [name, setName] = useState("");
  const at = Math.max(
    0,
    snippets.findIndex((one) => one.name === name),
  );
  const shown = snippets[at];
  if (!shown) return null;
  const step = (event: KeyboardEvent): void => {
    const next = snippets[(at + (STEPS[event.key] ?? 0) + snippets.length) % snippets.length];
    if (!next || !STEPS[event.key]) return;
    setName(next.name);
    document.getElementById(`${id}-${next.name}`)?.focus();
  };
  return (
    <div class="snippets">
      <div class="row apart">
        <div class="tabs" role="tablist" aria-label={label}>
          {snippets.map((one) => (
            <button
              key={one.name}
              type="button"
              role="tab"
              class="plain"
              id={`${id}-${one.name}`}
              aria-controls={`${id}-text`}
              aria-selected={one === shown}
              tabIndex={one === shown ? 0 : -1}
              onClick={() => setName(one.name)}
              onKeyDown={step}
            >
              {one.name}
            </button>
          ))}
        </div>
        <CopyButton text={shown.text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it may scroll, so that keyboards must reach it */}
      <pre id={`${id}-text`} role="tabpanel" aria-labelledby={`${id}-${shown.name}`} tabIndex={0}>
        {shown.text}
      </pre>
    </div>
  );
}
