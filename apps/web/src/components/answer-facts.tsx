/** The small print of an answer: model, tokens, speed, and how it ended where that is not as usual. */
import type { AnswerFacts, AnswerState } from '../state/tree.ts';

const ENDS: Readonly<Record<AnswerState, string>> = {
  streaming: '',
  stop: '',
  length: 'cut at the limit of tokens',
  aborted: 'stopped',
  failed: '',
  interrupted: 'interrupted',
  withheld: '',
};

/** Tokens per second after the first one: the first waits for the prompt. */
function speedOf({ completionTokens = 0, streamMs = 0 }: AnswerFacts): string {
  if (completionTokens < 2 || streamMs <= 0) return '';
  const speed = ((completionTokens - 1) * 1000) / streamMs;
  return `${speed < 10 ? speed.toFixed(1) : Math.round(speed)} tokens/s`;
}

function tokensOf({ promptTokens = 0, completionTokens = 0 }: AnswerFacts): string {
  if (completionTokens === 0) return '';
  return promptTokens > 0 ? `${promptTokens} → ${completionTokens} tokens` : `${completionTokens} tokens`;
}

/** @param pieces so many pieces have come, while the answer grows. */
export function AnswerFactsLine({
  facts,
  pieces,
}: {
  readonly facts: AnswerFacts;
  readonly pieces: number | undefined;
}) {
  const parts =
    pieces === undefined
      ? [facts.model, tokensOf(facts), speedOf(facts), ENDS[facts.state]]
      : [facts.model, pieces > 0 ? `${pieces} tokens` : ''];
  return <p class="facts">{parts.filter(Boolean).join(' · ')}</p>;
}
