/**
 * A sequence that grows: tokens in, logits of the last one out, keys and values kept. Needs a model whose weights stay on
 * the backend.
 */
import { type Buffer, bytesOf, readF32, type Step } from '../backends/index.ts';
import { BitmillError } from '../core/index.ts';
import type { Dims } from '../graph/index.ts';
import { type Bindings, type Engine, need, step } from './engine.ts';

export class Session {
  /** Positions so far. */
  position = 0;
  readonly #engine: Engine;
  readonly #weights: readonly Bindings[];
  readonly #caches: readonly Bindings[];
  readonly #own: Bindings;

  private constructor(engine: Engine, weights: readonly Bindings[]) {
    const { backend, batch, graphs, model, contextSize } = engine;
    this.#engine = engine;
    this.#weights = weights;
    this.#caches = graphs.layers.map(() => engine.caches(contextSize));
    const angles = (batch * graphs.rope.rotated) / 2;
    const { width, vocabulary } = model.hyper;
    const sizes = {
      tokens: batch,
      cos: angles,
      sin: angles,
      hidden0: batch * width,
      hidden1: batch * width,
      select: 1,
      final: width,
      logits: vocabulary,
    };
    this.#own = new Map(
      Object.entries(sizes).map(([name, size]): [string, Buffer] => [name, backend.alloc(4 * size, name)]),
    );
  }

  /** Positions at most. */
  get contextSize(): number {
    return this.#engine.contextSize;
  }

  /** @throws resources error: the weights do not fit the engine's memory at once. */
  static async open(engine: Engine): Promise<Session> {
    const { graphs, model, budget } = engine;
    if (!engine.resident) {
      throw new BitmillError(
        'resources',
        `${model.file.name}: its weights and caches do not fit ${budget} bytes, which generation needs`,
        { hint: 'a smaller quant, a smaller context or more memory helps' },
      );
    }
    const weights: Bindings[] = [];
    for (const graph of [graphs.embed, ...graphs.layers, graphs.final, graphs.output]) {
      weights.push(await engine.acquire(graph));
    }
    return new Session(engine, weights);
  }

  /**
   * Appends tokens; logits f32 [V] after the last one.
   * @throws resources error: more positions than the context size.
   */
  async feed(tokens: Int32Array): Promise<Float32Array> {
    const { batch, contextSize, backend, model } = this.#engine;
    if (this.position + tokens.length > contextSize) {
      throw new BitmillError(
        'resources',
        `${this.position + tokens.length} tokens do not fit the context of ${contextSize}`,
      );
    }
    for (let at = 0; at < tokens.length; at += batch) {
      const part = tokens.slice(at, at + batch);
      await backend.run(this.#steps(part, at + batch >= tokens.length));
      this.position += part.length;
    }
    return readF32(backend, need(this.#own, 'logits'), model.hyper.vocabulary);
  }

  /** Forgets all positions from `position` on. */
  rewind(position: number): void {
    this.position = Math.min(position, this.position);
  }

  close(): void {
    const { backend } = this.#engine;
    for (const buffer of [this.#own, ...this.#caches].flatMap((one) => [...one.values()]))
      backend.free(buffer);
  }

  #steps(tokens: Int32Array, last: boolean): Step[] {
    const { graphs, backend } = this.#engine;
    const dims: Dims = { T: tokens.length, S: 1, past: this.position };
    backend.write(need(this.#own, 'tokens'), 0, bytesOf(tokens));
    backend.write(need(this.#own, 'select'), 0, bytesOf(Int32Array.of(tokens.length - 1)));
    this.#engine.writeAngles(this.#own, dims);
    const count = graphs.layers.length;
    const hidden = (i: number) => need(this.#own, `hidden${i % 2}`);
    const make = (
      graph: (typeof graphs)['embed'],
      index: number,
      ...more: readonly ReadonlyMap<string, Buffer>[]
    ) => step(this.#engine.program(graph), dims, this.#own, this.#weights[index], ...more);
    const steps = [
      make(graphs.embed, 0, new Map([['next', hidden(0)]])),
      ...graphs.layers.map((graph, i) =>
        make(
          graph,
          i + 1,
          this.#caches[i],
          new Map([
            ['hidden', hidden(i)],
            ['next', hidden(i + 1)],
          ]),
        ),
      ),
    ];
    if (!last) return steps;
    return [
      ...steps,
      make(graphs.final, count + 1, new Map([['hidden', hidden(count)]])),
      make(graphs.output, count + 2),
    ];
  }
}
