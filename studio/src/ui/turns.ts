// Work that need not be done at once: a piece a frame, so that many pieces together do not hold the page up.

const waiting: (() => void)[] = [];

function next(): void {
  waiting.shift()?.();
  if (waiting.length) requestAnimationFrame(next);
}

/** Have this done when it is its turn, unless the function that is returned is called before. */
export function inTurn(work: () => void): () => void {
  waiting.push(work);
  if (waiting.length === 1) requestAnimationFrame(next);
  return () => {
    const place = waiting.indexOf(work);
    if (place > 0) waiting.splice(place, 1);
    else if (place === 0) waiting[0] = () => undefined;
  };
}
