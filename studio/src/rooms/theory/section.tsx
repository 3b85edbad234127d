import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { route, to } from "../../router";

export interface Named {
  id: string;
  title: string;
}

/** The address of a section of this page. */
export function at(id: string): string {
  return to("theory", "", { ...Object.fromEntries(route.value.query), at: id });
}

/** One claim, and one thing to do about it. The page comes to it where its address says so. */
export function Section({ id, title, children }: Named & { children: ComponentChildren }) {
  const place = useRef<HTMLElement>(null);
  const called = route.value.query.get("at") === id;
  useEffect(() => {
    if (called) place.current?.scrollIntoView();
  }, [called]);
  return (
    <section ref={place} class="theory-section stack" aria-labelledby={`theory-${id}`}>
      <h2 id={`theory-${id}`}>{title}</h2>
      {children}
    </section>
  );
}

export function Contents({ sections }: { sections: readonly Named[] }) {
  return (
    <nav class="theory-contents" aria-label="On this page">
      <ol>
        {sections.map(({ id, title }) => (
          <li key={id}>
            <a
              href={at(id)}
              aria-current={route.value.query.get("at") === id ? "location" : undefined}
              onClick={() => document.getElementById(`theory-${id}`)?.scrollIntoView()}
            >
              {title}
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** In place of a control that the reader's key is not for. */
export function NeedsScope({ what }: { what: string }) {
  return (
    <p class="note">
      {what} needs a key with the scope <code>train</code>, which yours has not. What was measured before is shown all
      the same; ask whoever runs this server for such a key.
    </p>
  );
}
