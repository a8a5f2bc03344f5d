/** What happens to a chat that is longer than the context: an error, or less of the chat. Never silently. */
import { BitmillError } from '../core/index.ts';
import type { ChatMessage } from '../text/index.ts';

/**
 * `shift` leaves out the oldest turns after the system message, `truncate` the oldest text of the longest message that
 * is not the system's. Both leave room for the answer.
 */
export const OVERFLOW_POLICIES = ['error', 'shift', 'truncate'] as const;
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];

/** A chat that fits the context, and what was left out of it for that. */
export interface FittedChat {
  readonly ids: Int32Array;
  /** Oldest messages left out by `shift`. */
  readonly dropped: number;
  /** Characters left out by `truncate`. */
  readonly cut: number;
}

/** Positions that a chat which has to become shorter leaves to the answer: a quarter, or fewer where fewer are asked for. */
export function answerRoom(contextSize: number, maxTokens = Number.POSITIVE_INFINITY): number {
  return Math.max(1, Math.min(maxTokens, Math.floor(contextSize / 4)));
}

type Messages = readonly ChatMessage[];

/** What shortening needs to know: the ids of messages, undefined where they are too many. */
type Fits = (messages: Messages) => Int32Array | undefined;

/** The least number up to `most` with a result, which all larger ones have too (nearly: the result counts). */
function least<T>(most: number, attempt: (n: number) => T | undefined): { n: number; result: T } | undefined {
  const last = most < 1 ? undefined : attempt(most);
  if (last === undefined) return undefined;
  let best = { n: most, result: last };
  let failed = 0;
  while (best.n - failed > 1) {
    const n = Math.floor((failed + best.n) / 2);
    const result = attempt(n);
    if (result === undefined) failed = n;
    else best = { n, result };
  }
  return best;
}

function shift(messages: Messages, fits: Fits): FittedChat | undefined {
  const head = messages.findIndex(({ role }) => role !== 'system');
  const turns = messages.flatMap(({ role }, i) => (role === 'user' && i > head ? [i] : []));
  const found = least(turns.length, (n) =>
    fits([...messages.slice(0, head), ...messages.slice(turns[n - 1])]),
  );
  return found && { ids: found.result, dropped: turns[found.n - 1] - head, cut: 0 };
}

/** `text` without its first `n` characters; half of a character is none. */
function without(text: string, n: number): string {
  const rest = text.slice(n);
  return /^[\udc00-\udfff]/.test(rest) ? rest.slice(1) : rest;
}

function truncate(messages: Messages, fits: Fits): FittedChat | undefined {
  const length = ({ role, content }: ChatMessage) =>
    role === 'system' || typeof content !== 'string' ? 0 : content.length;
  const current = [...messages];
  for (let cut = 0; ; ) {
    const lengths = current.map(length);
    const longest = Math.max(...lengths);
    if (longest === 0) return undefined;
    const at = lengths.indexOf(longest);
    const message = current[at];
    const shortened = (n: number) =>
      current.with(at, { ...message, content: without(String(message.content), n) });
    const found = least(longest, (n) => fits(shortened(n)));
    if (found) return { ids: found.result, dropped: 0, cut: cut + found.n };
    current[at] = { ...message, content: '' };
    cut += longest;
  }
}

const SHORTEN = {
  error: () => undefined,
  shift,
  truncate,
} as const satisfies Record<OverflowPolicy, (messages: Messages, fits: Fits) => FittedChat | undefined>;

export interface FitOptions {
  readonly policy: OverflowPolicy;
  readonly contextSize: number;
  /** Tokens that the answer has at most; default: until the context is full. */
  readonly maxTokens?: number | undefined;
}

/**
 * The ids of a chat that fits the context.
 * @throws resources error: it does not, and the policy does not help.
 */
export function fitChat(
  messages: Messages,
  encode: (messages: Messages) => Int32Array,
  { policy, contextSize, maxTokens }: FitOptions,
): FittedChat {
  const room = policy === 'error' ? 0 : answerRoom(contextSize, maxTokens);
  const ids = encode(messages);
  if (ids.length <= contextSize - room) return { ids, dropped: 0, cut: 0 };
  const fitted = SHORTEN[policy](messages, (some) => {
    const fewer = encode(some);
    return fewer.length <= contextSize - room ? fewer : undefined;
  });
  if (fitted) return fitted;
  const kept = room === 0 ? '' : `, ${room} of them for the answer`;
  throw new BitmillError(
    'resources',
    `the chat has ${ids.length} tokens; the context holds ${contextSize}${kept}`,
    {
      hint:
        policy === 'error'
          ? 'a shorter chat, a larger context (-c) or --on-overflow shift or truncate helps'
          : `${policy} cannot make it short enough: a shorter message or a larger context (-c) helps`,
    },
  );
}
