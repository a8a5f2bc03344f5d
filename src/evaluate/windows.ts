/**
 * Which tokens a model sees together, and which of its predictions count. By default the text is cut into chunks of
 * the context size and the second half of each is scored, so that every scored token has at least half a context
 * before it. With a stride, windows overlap: each starts `stride` tokens after the one before and its last `stride`
 * tokens are scored, so every token beyond the first context is scored once, with a long context.
 */
import { inputError, usageError } from '../core/index.ts';
import type { RowRange } from '../generate/index.ts';
import { scoredRows as secondHalf } from '../imatrix/index.ts';

export interface WindowSettings {
  /** Tokens that the model sees at once. */
  readonly contextSize: number;
  /** Tokens between the starts of windows; 0: chunks, second half scored. */
  readonly stride: number;
  /** Begin-of-sequence token that takes the first place of each window; undefined where the model wants none. */
  readonly bos: number | undefined;
}

export interface Window {
  /** What the model sees: the text's tokens, BOS in the first place. */
  readonly input: Int32Array;
  /** Scored predictions: row r predicts token r + 1 of the window. */
  readonly rows: RowRange;
  /** The text's token after each of the rows. */
  readonly targets: Int32Array;
}

/** Fewest tokens of a context in which something is predicted. */
const LEAST_CONTEXT = 4;

/** @throws usage error: a context or stride that cannot be. */
export function checkSettings({ contextSize, stride }: Pick<WindowSettings, 'contextSize' | 'stride'>): void {
  if (contextSize < LEAST_CONTEXT) {
    throw usageError(`a context of ${contextSize} tokens: ${LEAST_CONTEXT} or more are needed`);
  }
  if (stride >= contextSize) {
    throw usageError(
      `a stride of ${stride} in a context of ${contextSize}: at most ${contextSize - 1}`,
      'the first token of a window is never predicted',
    );
  }
}

/** Rows of a window whose predictions count. */
export function scoredRows({
  contextSize,
  stride,
}: Pick<WindowSettings, 'contextSize' | 'stride'>): RowRange {
  return stride === 0 ? secondHalf(contextSize) : { from: contextSize - 1 - stride, to: contextSize - 1 };
}

/** Whole windows in a text of `tokens` tokens. */
export function windowCount(
  tokens: number,
  { contextSize, stride }: Pick<WindowSettings, 'contextSize' | 'stride'>,
): number {
  if (tokens < contextSize) return 0;
  return Math.floor((tokens - contextSize) / (stride || contextSize)) + 1;
}

/** Tokens that `count` windows span. */
export function spannedTokens(
  count: number,
  { contextSize, stride }: Pick<WindowSettings, 'contextSize' | 'stride'>,
): number {
  return contextSize + (count - 1) * (stride || contextSize);
}

/**
 * @param tokens of the text, with the BOS that its tokenizer puts before it.
 * @param limit windows at most.
 * @param place the text, for messages.
 * @throws input error: shorter than one window.
 */
export function windowsOf(
  tokens: Int32Array,
  settings: WindowSettings,
  place: string,
  limit = Number.POSITIVE_INFINITY,
): Window[] {
  checkSettings(settings);
  const { contextSize, stride, bos } = settings;
  const count = Math.min(limit, windowCount(tokens.length, settings));
  if (count === 0) {
    throw inputError(
      place,
      `has ${tokens.length} tokens; one chunk needs ${contextSize}`,
      'take a longer text or a shorter context (-c)',
    );
  }
  const rows = scoredRows(settings);
  return Array.from({ length: count }, (_, i) => {
    const start = i * (stride || contextSize);
    const input = tokens.slice(start, start + contextSize);
    const targets = input.slice(rows.from + 1, rows.to + 1);
    if (bos !== undefined) input[0] = bos;
    return { input, rows, targets };
  });
}
