import { useEffect, useState } from "preact/hooks";
import { type Drawing, drawn, samplesBody } from "./drawing";

/** Bytes as an address of this page, as long as they are shown. */
export function useAddress(blob: Blob | null): string | undefined {
  const [src, setSrc] = useState<string>();
  useEffect(() => {
    if (!blob) return undefined;
    const made = URL.createObjectURL(blob);
    setSrc(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return src;
}

export function BlobImage({ blob, alt, class: name = "" }: { blob: Blob | null; alt: string; class?: string }) {
  const src = useAddress(blob);
  return src ? <img class={name} src={src} alt={alt} /> : <span class={name} />;
}

type ScatterProps = {
  drawing: Drawing;
  seed: number;
  count: number;
  size: number;
  alt: string;
  class?: string;
  failed?: (error: Error) => void;
};

/** Points that a model makes, as the server plots them; the last plot stays until the next is there. */
export function Scatter({ drawing, seed, count, size, alt, class: name = "", failed }: ScatterProps) {
  const [plot, setPlot] = useState<Blob | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    drawn("/v1/samples", samplesBody(drawing, { seed, count }, { size }), "image/png", gone.signal).then(
      setPlot,
      (error: Error) => error.name !== "AbortError" && failed?.(error),
    );
    return () => gone.abort();
  }, [JSON.stringify(drawing), seed, count, size]);
  return <BlobImage class={name} blob={plot} alt={alt} />;
}
