/** How long work tells what it is doing; the command line draws it, libraries may ignore it. */
export interface Progress {
  /** @param total amount of work in `unit`s, known in advance. */
  start(label: string, total: number, unit: 'bytes' | 'tensors' | 'files' | 'tokens'): void;
  /** @param done amount of work finished so far. */
  update(done: number, note?: string): void;
  stop(): void;
  /** A line for the user that is not an error: a fallback taken, a value that was rounded. */
  warn(message: string): void;
}

export const silentProgress: Progress = { start() {}, update() {}, stop() {}, warn() {} };
