/** A sequence that grows: tokens in, logits of the last one out, keys and values kept. The only one of its caches. */
import { BitmillError } from '../core/index.ts';
import { openSequences } from './batch-sequences.ts';
import type { Engine } from './engine.ts';
import type { Sequences } from './sequences.ts';

export class Session {
  readonly #sequences: Sequences;

  private constructor(sequences: Sequences) {
    this.#sequences = sequences;
  }

  /** @throws resources error: the weights do not fit the engine's memory at once. */
  static async open(engine: Engine): Promise<Session> {
    return new Session(await openSequences(engine, 1));
  }

  /** Positions so far. */
  get position(): number {
    return this.#sequences.position(0);
  }

  /** Positions at most. */
  get contextSize(): number {
    return this.#sequences.contextSize;
  }

  /**
   * Appends tokens, at least one; logits f32 [V] after the last one.
   * @throws resources error: more positions than the context size.
   */
  async feed(tokens: Int32Array): Promise<Float32Array> {
    const { batch, contextSize } = this.#sequences;
    const length = this.position + tokens.length;
    if (length > contextSize) {
      throw new BitmillError('resources', `${length} tokens do not fit the context of ${contextSize}`);
    }
    const last = batch * (Math.ceil(tokens.length / batch) - 1);
    for (let at = 0; at < last; at += batch) {
      await this.#sequences.run([{ sequence: 0, tokens: tokens.subarray(at, at + batch), want: 'nothing' }]);
    }
    const [logits] = await this.#sequences.run([
      { sequence: 0, tokens: tokens.subarray(last), want: 'last' },
    ]);
    return logits;
  }

  /** Forgets all positions from `position` on. */
  rewind(position: number): void {
    this.#sequences.rewind(0, position);
  }

  close(): void {
    this.#sequences.close();
  }
}
