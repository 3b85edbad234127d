import { useEffect, useRef } from "preact/hooks";

/** A formula of the API: its MathML, which browsers draw and screen readers speak. Mere words stay text, which wraps. */
export function Formula({ text, mathml }: { text: string; mathml: string | null }) {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const math = mathml && new DOMParser().parseFromString(mathml, "application/xml").documentElement;
    if (math && math.localName === "math" && math.querySelector("mi, mo"))
      place.current?.replaceChildren(document.importNode(math, true));
    else if (place.current) place.current.textContent = text;
  }, [text, mathml]);
  return <span class="formula" ref={place} />;
}
