/** SIGTERM and Ctrl-C: the first asks for an end, the second wants it now. */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Signals {
  readonly first: Promise<void>;
  readonly second: AbortSignal;
  /** The signals do again what they do by themselves. */
  release(): void;
}

export function awaitSignals(): Signals {
  const second = new AbortController();
  let count = 0;
  let onFirst = (): void => {};
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  const listener = (): void => {
    count++;
    if (count === 1) onFirst();
    else second.abort();
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return {
    first,
    second: second.signal,
    release: () => {
      for (const signal of SIGNALS) process.removeListener(signal, listener);
    },
  };
}
