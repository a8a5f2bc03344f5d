/**
 * Errors that a caller can act on. Each kind carries the exit code of the command line; every message names
 * the thing, the place, what was found and what was allowed. Anything else that is thrown is a fault of ours
 * and exits with 1.
 */

/** What a failure means for a script that runs bitmill. */
export const EXIT_CODES = {
  ok: 0,
  failure: 1,
  usage: 2,
  input: 3,
  network: 4,
  resources: 5,
  check: 6,
} as const;

export type ErrorKind = Exclude<keyof typeof EXIT_CODES, 'ok'>;

export class BitmillError extends Error {
  readonly kind: ErrorKind;
  /** One line that says what to do next, where there is something to do. */
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BitmillError';
    this.kind = kind;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return EXIT_CODES[this.kind];
  }
}

/** The command or the options are wrong (exit code 2). */
export function usageError(message: string, hint?: string): BitmillError {
  return new BitmillError('usage', message, hint === undefined ? {} : { hint });
}

/**
 * A file or a value from outside is not what it should be (exit code 3).
 * @param place file and, where known, the byte offset or the name inside: `model.gguf: tensor "x"`.
 */
export function inputError(place: string, problem: string, hint?: string): BitmillError {
  return new BitmillError('input', `${place}: ${problem}`, hint === undefined ? {} : { hint });
}
