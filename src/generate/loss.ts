/** How well the head of a walk predicts the text: a graph of its own on the logits that the walk leaves. */
import { type Buffer, bytesOf, type Program, readF32 } from '../backends/index.ts';
import { GraphBuilder } from '../graph/index.ts';
import type { Engine } from './engine.ts';
import type { HeadResult } from './walk.ts';

/** Numbers that `loss` yields a row: negative log-likelihood, id of the largest logit. */
const LOSS_COLUMNS = 2;

export class LossMeter {
  readonly #engine: Engine;
  readonly #program: Program;
  readonly #targets: Buffer;
  readonly #loss: Buffer;

  constructor(engine: Engine) {
    const graph = new GraphBuilder('loss');
    const logits = graph.input('logits', 'S', engine.model.hyper.vocabulary);
    const targets = graph.input('targets', 'S', 1, 'i32');
    graph.output('loss', graph.loss(logits, targets));
    this.#engine = engine;
    this.#program = engine.backend.compile(graph.build());
    this.#targets = engine.backend.alloc(4 * engine.batch, 'targets');
    this.#loss = engine.backend.alloc(4 * LOSS_COLUMNS * engine.batch, 'loss');
  }

  /**
   * Negative log-likelihoods in nats, one a row of the head.
   * @param targets the token that follows each row.
   */
  async score(head: Pick<HeadResult, 'logits'>, targets: Int32Array): Promise<Float32Array> {
    return (await this.predictions(head, targets)).nll;
  }

  /** Beside the losses of the targets, the most likely token of each row: of equal ones the lowest id. */
  async predictions(
    { logits }: Pick<HeadResult, 'logits'>,
    targets: Int32Array,
  ): Promise<{ nll: Float32Array; top: Int32Array }> {
    const { backend } = this.#engine;
    backend.write(this.#targets, 0, bytesOf(targets));
    const bind = new Map([
      ['logits', logits],
      ['targets', this.#targets],
      ['loss', this.#loss],
    ]);
    await backend.run([{ program: this.#program, dims: { T: 0, S: targets.length, past: 0 }, bind }]);
    const rows = await readF32(backend, this.#loss, LOSS_COLUMNS * targets.length);
    return {
      nll: Float32Array.from(targets, (_, row) => rows[LOSS_COLUMNS * row]),
      top: Int32Array.from(targets, (_, row) => rows[LOSS_COLUMNS * row + 1]),
    };
  }

  close(): void {
    for (const buffer of [this.#targets, this.#loss]) this.#engine.backend.free(buffer);
  }
}
