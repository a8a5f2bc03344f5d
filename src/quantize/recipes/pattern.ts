/**
 * Patterns over tensor names, from the command line and from recipe files. JavaScript's regular expressions
 * may need exponential time, so the shapes that do are refused: a pattern never hangs on a 64-byte name.
 */
import { usageError } from '../../core/index.ts';

/** Longest pattern, in characters; tensor names have at most 63 bytes. */
const MAX_PATTERN = 256;
/** Unbounded repetitions in one pattern; the work grows as the name's length to this power. */
const MAX_REPEATS = 4;

/** What makes a pattern slow, or undefined. Escapes and classes are skipped; groups are tracked. */
function slowness(pattern: string): string | undefined {
  const text = pattern.replace(/\\[\s\S]/g, (pair) => (/\\[1-9k]/.test(pair) ? '\u0000' : 'x'));
  if (text.includes('\u0000')) return 'back-references are not allowed';
  const plain = text.replace(/\[[^\]]*\]/g, 'x');
  const choices: boolean[] = [];
  let closed = false;
  let repeats = 0;
  for (const [at, c] of [...plain].entries()) {
    const repeat = c === '*' || c === '+' || (c === '{' && /^\{\d*,?\d*\}/.test(plain.slice(at)));
    if (repeat) {
      if (closed) return 'a repeated group that itself repeats or chooses is not allowed';
      repeats++;
    }
    if (repeat || c === '|' || c === '?') choices.fill(true);
    closed = false;
    if (c === '(') choices.push(false);
    if (c === ')') closed = choices.pop() ?? false;
  }
  return repeats > MAX_REPEATS ? `at most ${MAX_REPEATS} repetitions (* + {}) are allowed` : undefined;
}

/**
 * A regular expression that is searched for in tensor names, case kept.
 * @throws usage error: not a regular expression, or one that could be slow.
 */
export function namePattern(text: string): RegExp {
  if (text === '') throw usageError('an empty pattern would match every tensor', 'use . to mean just that');
  if (text.length > MAX_PATTERN)
    throw usageError(`a pattern has ${text.length} characters, at most ${MAX_PATTERN} are allowed`);
  const slow = slowness(text);
  if (slow) throw usageError(`pattern "${text}": ${slow}`);
  try {
    return new RegExp(text, 'u');
  } catch {
    throw usageError(`pattern "${text}" is not a regular expression`);
  }
}
