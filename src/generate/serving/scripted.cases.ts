/**
 * Sequences without a model: logits are a hash of all tokens that a sequence holds, so any mix-up of sequences or
 * positions shows in what is generated. Strict: what `Sequences` forbids fails here. And what tests do with a service.
 */
import { BitmillError } from '../../core/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { AnswerEnd } from '../conversation.ts';
import { type GeneratedToken, type GenerationOptions, type GrowingSession, generate } from '../generation.ts';
import type { Part, Sequences } from '../sequences.ts';
import { openService, type ServiceParts } from './open.ts';
import type { ModelService, RequestOptions } from './service.ts';

export const VOCABULARY = 40;

/** Logits [V] after these tokens: multiples of 1/64 in [-8, 8). */
export function logitsAfter(tokens: readonly number[]): Float32Array {
  let state = 0x811c9dc5;
  for (const token of tokens) state = Math.imul(state ^ (token + 1), 0x01000193) >>> 0;
  return Float32Array.from({ length: VOCABULARY }, (_, id) => {
    const mixed = Math.imul((state ^ Math.imul(id + 1, 0x9e3779b9)) >>> 0, 0x85ebca6b) >>> 0;
    return (mixed >>> 22) / 64 - 8;
  });
}

/** Width of the states. */
export const WIDTH = 3;

/** State [E] of a position: sum of the tokens so far, the last one, and their number. */
export function stateAfter(tokens: readonly number[]): number[] {
  return [tokens.reduce((sum, id) => sum + id, 0), tokens[tokens.length - 1], tokens.length];
}

export interface ScriptOptions {
  readonly count: number;
  readonly contextSize?: number;
  readonly batch?: number;
  /** Called in each run when its tokens are appended; what it throws fails the run, as a crash in its middle would. */
  readonly during?: (parts: readonly Part[]) => void | Promise<void>;
}

export class ScriptedSequences implements Sequences {
  readonly count: number;
  readonly contextSize: number;
  readonly batch: number;
  readonly runs: (readonly Part[])[] = [];
  readonly copies: { from: number; to: number; positions: number }[] = [];
  readonly #held: number[][];
  readonly #during: ScriptOptions['during'];
  #isRunning = false;
  isClosed = false;

  constructor({ count, contextSize = 256, batch = 64, during }: ScriptOptions) {
    this.count = count;
    this.contextSize = contextSize;
    this.batch = batch;
    this.#during = during;
    this.#held = Array.from({ length: count }, () => []);
  }

  held(sequence: number): readonly number[] {
    return this.#held[sequence];
  }

  position(sequence: number): number {
    return this.#held[sequence].length;
  }

  async run(parts: readonly Part[]): Promise<readonly Float32Array[]> {
    this.#check(parts);
    this.#isRunning = true;
    this.runs.push(parts);
    try {
      await new Promise((resolve) => setImmediate(resolve));
      const results = parts.map((part) => this.#append(part));
      await this.#during?.(parts);
      return results;
    } finally {
      this.#isRunning = false;
    }
  }

  #check(parts: readonly Part[]): void {
    if (this.isClosed || this.#isRunning)
      throw new Error('a run while another one is going on, or after the end');
    const tokens = parts.reduce((sum, part) => sum + part.tokens.length, 0);
    if (tokens > this.batch || parts.some((part) => part.tokens.length === 0))
      throw new Error(`${tokens} tokens`);
    if (new Set(parts.map(({ sequence }) => sequence)).size < parts.length)
      throw new Error('a sequence twice');
    for (const { sequence, tokens } of parts) {
      if (this.position(sequence) + tokens.length > this.contextSize)
        throw new BitmillError('resources', 'full');
    }
  }

  #append({ sequence, tokens, want }: Part): Float32Array {
    const held = this.#held[sequence];
    const rows = Array.from(tokens, (token) => {
      held.push(token);
      return want === 'hidden' ? stateAfter(held) : Array.from(logitsAfter(held));
    });
    if (want === 'nothing') return new Float32Array();
    return Float32Array.from(want === 'last' ? rows[rows.length - 1] : rows.flat());
  }

  rewind(sequence: number, position: number): void {
    const held = this.#held[sequence];
    held.length = Math.min(position, held.length);
  }

  copy(from: number, to: number, positions: number): void {
    if (this.#isRunning) throw new Error('a copy while a run is going on');
    if (from === to || positions > this.position(from)) throw new Error(`a copy of ${positions} positions`);
    this.#held[to] = this.#held[from].slice(0, positions);
    this.copies.push({ from, to, positions });
  }

  close(): void {
    if (this.isClosed || this.#isRunning) throw new Error('closed twice, or during a run');
    this.isClosed = true;
  }
}

/** One such sequence, alone. */
export function scriptedSession(contextSize = 256): GrowingSession {
  const held: number[] = [];
  return {
    get position() {
      return held.length;
    },
    contextSize,
    feed: async (tokens) => {
      held.push(...tokens);
      return logitsAfter(held);
    },
  };
}

/** Ids as letters, `a` for 0; nothing ends a text. */
export const letters = {
  vocabularySize: VOCABULARY,
  isEndOfGeneration: () => false,
  isControl: () => false,
  decoder: () => ({ push: (id: number) => String.fromCharCode(97 + (id % 26)), flush: () => '' }),
} as unknown as Tokenizer;

export interface Scripted {
  readonly service: ModelService;
  readonly sequences: ScriptedSequences;
}

export function openScripted(script: ScriptOptions, parts: Partial<ServiceParts> = {}): Scripted {
  const sequences = new ScriptedSequences(script);
  return {
    sequences,
    service: openService({ sequences, tokenizer: letters, width: WIDTH, queue: 100, ...parts }),
  };
}

export async function collect<E>(
  tokens: AsyncGenerator<GeneratedToken, E>,
): Promise<{ ids: readonly number[]; end: E }> {
  const ids: number[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    if (done) return { ids, end: value };
    ids.push(value.id);
  }
}

/** Tokens of an answer where nothing else is said. */
export const TOKENS = 8;

export function ask(
  service: ModelService,
  ids: Int32Array,
  options: RequestOptions = {},
): Promise<{ ids: readonly number[]; end: AnswerEnd }> {
  return collect(service.answer(ids, { maxTokens: TOKENS, ...options }));
}

/** What one sequence alone generates. */
export async function alone(ids: Int32Array, options: GenerationOptions = {}): Promise<readonly number[]> {
  return (await collect(generate(scriptedSession(), letters, ids, { maxTokens: TOKENS, ...options }))).ids;
}

/** Seeded ids; those of two seeds differ from the first on. */
export function prompt(length: number, seed: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => (i * 7 + seed * 13 + i * seed) % VOCABULARY);
}

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
