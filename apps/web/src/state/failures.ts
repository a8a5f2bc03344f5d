/** Kinds of failures, as far as they want different help. */
import type { Failure } from './tree.ts';

export type FailureKind = 'key' | 'busy' | 'full' | 'gone' | 'other';

const BY_STATUS: Readonly<Record<number, FailureKind>> = {
  401: 'key',
  403: 'key',
  429: 'busy',
  503: 'busy',
  413: 'full',
};

/** Words of servers that do not send OpenAI's code for it. */
const FULL = /context (length|size|window)|exceed\w* (the )?(available )?context|maximum context/i;

export function failureKind({ status, code, message }: Failure): FailureKind {
  if (code === 'context_length_exceeded' || (status === 400 && FULL.test(message))) return 'full';
  // `page`: not the provider failed but something in the page.
  if (status === undefined) return code === 'page' ? 'other' : 'gone';
  return BY_STATUS[status] ?? 'other';
}
