/**
 * The hook of the safety check: something that looks at what goes to a model and at what comes back, and says allow,
 * warn or block. By default there is none. It may be a list of words, a classifier in this browser, or a request to a
 * service; how a host adds its own is in `apps/web/safety.md`.
 */
import type { Message } from '../provider.ts';

export type Verdict =
  | { readonly kind: 'allow' }
  /** Shown beside the answer. @param reason one sentence for the person in front of the page. */
  | { readonly kind: 'warn'; readonly reason: string }
  /** Nothing is sent, or the answer ends and is hidden. */
  | { readonly kind: 'block'; readonly reason: string };

export const ALLOW: Verdict = { kind: 'allow' };

export interface SafetyCheck {
  readonly name: string;
  /** Looks at all that is about to be sent: system prompt, history, sources, question. */
  input?(messages: readonly Message[], signal: AbortSignal): Verdict | Promise<Verdict>;
  /**
   * Looks at an answer while it comes.
   * @param text all of it so far. @param whole whether it ends here; before, its last word may be cut.
   */
  output?(text: string, whole: boolean, signal: AbortSignal): Verdict | Promise<Verdict>;
  /** Characters at the end of an answer that are not shown until what follows was looked at. Default 0. */
  readonly holdBack?: number;
  /** New characters after which an answer is looked at again; classifiers want more than lists. Default 1. */
  readonly every?: number;
}

const SEVERITY = { allow: 0, warn: 1, block: 2 } as const satisfies Record<Verdict['kind'], number>;

export const worse = (a: Verdict, b: Verdict): Verdict => (SEVERITY[b.kind] > SEVERITY[a.kind] ? b : a);

/** A check that could not be made is a no: what was to be checked must not pass unchecked. */
async function careful(name: string, look: () => Verdict | Promise<Verdict> | undefined): Promise<Verdict> {
  try {
    return (await look()) ?? ALLOW;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'block', reason: `The safety check ${name} failed, so nothing passes: ${reason}` };
  }
}

/** Several checks as one; the worst verdict counts. */
export function allOf(checks: readonly SafetyCheck[]): SafetyCheck | undefined {
  if (checks.length === 0) return undefined;
  const together = async (look: (check: SafetyCheck) => Verdict | Promise<Verdict> | undefined) => {
    const verdicts = await Promise.all(checks.map((check) => careful(check.name, () => look(check))));
    return verdicts.reduce(worse, ALLOW);
  };
  return {
    name: checks.map(({ name }) => name).join(', '),
    input: (messages, signal) => together((check) => check.input?.(messages, signal)),
    output: (text, whole, signal) => together((check) => check.output?.(text, whole, signal)),
    holdBack: Math.max(...checks.map(({ holdBack = 0 }) => holdBack)),
    every: Math.min(...checks.map(({ every = 1 }) => every)),
  };
}
