/**
 * Two models answer the same messages, at once or one after the other, and tell their tokens with probabilities. What
 * comes is handed on a few times a second, however fast the tokens are.
 */
import type { AnswerEnd, Delta, Message, ModelInfo, Parameters, Provider } from '../provider.ts';
import type { ToldToken } from './units.ts';

/** A model, where it answers, and what it is told. */
export interface Contender {
  readonly provider: Provider;
  readonly model: ModelInfo;
  readonly parameters: Parameters;
}

export type SideState = 'waiting' | 'streaming' | 'done' | 'failed';

/** An answer as far as it has come. */
export interface Side {
  readonly contender: Contender;
  readonly state: SideState;
  readonly text: string;
  readonly tokens: readonly ToldToken[];
  /** Milliseconds to the first token, and from there to the last so far. */
  readonly waitMs: number;
  readonly streamMs: number;
  readonly end?: AnswerEnd;
  /** One sentence. */
  readonly failure?: string;
}

export type Pair<T> = readonly [T, T];

export interface Match {
  readonly messages: readonly Message[];
  readonly contenders: Pair<Contender>;
  /** One waits for the other, so that neither slows the other down. */
  readonly inTurn: boolean;
  readonly signal: AbortSignal;
  /** Hears of all that is new. */
  readonly onChange: (sides: Pair<Side>) => void;
}

/** Alternatives that are asked for of each token. */
const ALTERNATIVES = 5;
/** Milliseconds between changes that are told. */
const BEAT = 60;

export const isRunning = ({ state }: Side): boolean => state === 'waiting' || state === 'streaming';

/** Tokens a second after the first one; undefined before the second. */
export function speedOf({ tokens, streamMs }: Side): number | undefined {
  return tokens.length > 1 && streamMs > 0 ? (1000 * (tokens.length - 1)) / streamMs : undefined;
}

/** Resolves when both have ended, in whatever way: failures are told in the sides. */
export async function runMatch(match: Match): Promise<Pair<Side>> {
  const sides: [Side, Side] = [fresh(match.contenders[0]), fresh(match.contenders[1])];
  let told = Number.NEGATIVE_INFINITY;
  const change = (index: 0 | 1, side: Side, now: number) => {
    const turned = side.state !== sides[index].state;
    sides[index] = side;
    if (!turned && now - told < BEAT) return;
    told = now;
    match.onChange([...sides]);
  };
  match.onChange([...sides]);
  const one = (index: 0 | 1) => answer(match, sides[index], (side) => change(index, side, performance.now()));
  if (match.inTurn) {
    await one(0);
    await one(1);
  } else {
    await Promise.all([one(0), one(1)]);
  }
  match.onChange([...sides]);
  return sides;
}

const fresh = (contender: Contender): Side => ({
  contender,
  state: 'waiting',
  text: '',
  tokens: [],
  waitMs: 0,
  streamMs: 0,
});

/** Where no probabilities are told, a piece of text stands for a token. */
function told({ text, tokens }: Delta): readonly ToldToken[] {
  if (tokens) return tokens;
  return text === '' ? [] : [{ token: text, logprob: undefined, top: [] }];
}

async function answer(match: Match, start: Side, change: (side: Side) => void): Promise<void> {
  const { provider, model, parameters } = start.contender;
  const { messages, signal } = match;
  const began = performance.now();
  let side = start;
  const put = (more: Partial<Side>) => {
    side = { ...side, ...more };
    change(side);
  };
  try {
    const stream = provider.chat({ model: model.id, messages, parameters, logprobs: ALTERNATIVES, signal });
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return put({ state: 'done', end: value });
      const now = performance.now() - began;
      const waitMs = side.tokens.length > 0 ? side.waitMs : now;
      put({
        state: 'streaming',
        text: side.text + value.text,
        tokens: [...side.tokens, ...told(value)],
        waitMs,
        streamMs: now - waitMs,
      });
    }
  } catch (error) {
    put({ state: 'failed', failure: error instanceof Error ? error.message : String(error) });
  }
}
