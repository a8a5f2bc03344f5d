/**
 * Measuring a model on a text: every scored token's loss, and beside a base its divergence. Losses are computed on the
 * backend, right after the logits of a window, so that logits never leave it. Letters: S rows, V vocabulary.
 */
import { type Buffer, bytesOf, type Program, readF32 } from '../backends/index.ts';
import { inputError } from '../core/index.ts';
import { type Engine, findNonFinite, type HeadResult, step, walk } from '../generate/index.ts';
import { GraphBuilder } from '../graph/index.ts';
import type { BaseFeed, BaseRecorder, KlBase, LoadedRows } from './base.ts';
import { emptyScores, type Scores } from './scores.ts';
import type { Window } from './windows.ts';

/** How it stands in the middle of the work. */
export interface Running {
  /** Windows that are done. */
  readonly windows: number;
  /** Scored tokens so far. */
  readonly tokens: number;
  readonly ppl: number;
  /** Mean divergence from the base, nats; undefined without a base. */
  readonly divergence: number | undefined;
}

export interface MeasureRequest {
  readonly windows: readonly Window[];
  readonly base?: KlBase | undefined;
  readonly recorder?: BaseRecorder | undefined;
  readonly running?: (running: Running) => void;
  /** As `walk` tells it. */
  readonly progress?: (done: number) => void;
}

/** Columns of `loss` and `divergence`. */
const LOSS_COLUMNS = 2;
const DIVERGENCE_COLUMNS = 6;

function lossProgram({ backend, model }: Engine): Program {
  const graph = new GraphBuilder('loss');
  const logits = graph.input('logits', 'S', model.hyper.vocabulary);
  graph.output('scores', graph.loss(logits, graph.input('targets', 'S', 1, 'i32')));
  return backend.compile(graph.build());
}

class Measurement {
  readonly scores: Scores;
  readonly #engine: Engine;
  readonly #request: MeasureRequest;
  readonly #feed: BaseFeed | undefined;
  readonly #program: Program;
  readonly #own: ReadonlyMap<string, Buffer>;
  readonly #sums = { tokens: 0, nll: 0, divergence: 0 };

  constructor(engine: Engine, request: MeasureRequest, rows: number, feed: BaseFeed | undefined) {
    const [{ rows: scored }] = request.windows;
    this.scores = emptyScores(request.windows.length, scored.to - scored.from, feed !== undefined);
    this.#engine = engine;
    this.#request = request;
    this.#feed = feed;
    this.#program = feed?.program ?? lossProgram(engine);
    this.#own = new Map([
      ['targets', engine.backend.alloc(4 * rows, 'targets')],
      ['scores', engine.backend.alloc(4 * rows * this.#columns, 'scores')],
    ]);
  }

  get #columns(): number {
    return this.#feed ? DIVERGENCE_COLUMNS : LOSS_COLUMNS;
  }

  async finish(head: HeadResult): Promise<void> {
    const { windows, recorder } = this.#request;
    const window = windows[head.chunk];
    const from = head.rows.from - window.rows.from;
    const targets = window.targets.slice(from, from + head.rows.to - head.rows.from);
    const loaded = await this.#feed?.load(head.chunk, head.rows, targets);
    const rows = await this.#score(head, targets, loaded);
    const first = head.chunk * window.targets.length + from;
    for (let i = 0; i < targets.length; i++) {
      const row = rows.subarray(i * this.#columns, (i + 1) * this.#columns);
      if (!Number.isFinite(row[0])) await this.#fail(head, i);
      this.#store(first + i, row, loaded?.stored, i);
    }
    await recorder?.record(head);
    this.#tell(head);
  }

  close(): void {
    for (const buffer of this.#own.values()) this.#engine.backend.free(buffer);
    this.#feed?.close();
  }

  /** Rows of `loss` or `divergence`. */
  async #score(
    { logits }: HeadResult,
    targets: Int32Array,
    loaded: LoadedRows | undefined,
  ): Promise<Float32Array> {
    const { backend } = this.#engine;
    const [into, scores] = [this.#buffer('targets'), this.#buffer('scores')];
    backend.write(into, 0, bytesOf(targets));
    const dims = { T: 0, S: targets.length, past: 0 };
    const bind = new Map([...this.#own, ...(loaded?.bind ?? []), ['logits', logits] as const]);
    await backend.run([step(this.#program, dims, bind)]);
    return readF32(backend, scores, targets.length * this.#columns);
  }

  #buffer(name: string): Buffer {
    const buffer = this.#own.get(name);
    if (!buffer) throw new Error(`${name} is not allocated`);
    return buffer;
  }

  /** One token's results into their columns. */
  #store(at: number, row: Float32Array, stored: LoadedRows['stored'], i: number): void {
    const { nll, base } = this.scores;
    const [own, other, divergence, same, p, baseP] = row;
    nll[at] = own;
    this.#sums.tokens++;
    this.#sums.nll += own;
    if (!base) return;
    if (!Number.isFinite(other) || !Number.isFinite(divergence)) {
      throw inputError(
        this.#request.base?.name ?? 'base',
        `its predictions for scored token ${at} are not finite`,
      );
    }
    base.baseNll[at] = stored ? stored.nll[i] : other;
    base.baseP[at] = stored ? Math.exp(-stored.nll[i]) : baseP;
    base.divergence[at] = stored ? unscaled(divergence, stored.mass[i]) : divergence;
    base.sameTop[at] = same;
    base.p[at] = p;
    this.#sums.divergence += base.divergence[at];
  }

  /** Finds the segment in which numbers stop being finite. */
  async #fail({ chunk, rows }: HeadResult, i: number): Promise<never> {
    const { model } = this.#engine;
    await findNonFinite(this.#engine, [this.#request.windows[chunk].input]);
    const weights = this.#engine.graphs.output.weights.map(({ name }) => name).join(', ');
    throw inputError(
      model.file.name,
      `the logits of token ${rows.from + i} in chunk ${chunk} are not finite (${weights})`,
      'a weight is NaN or infinite: convert the checkpoint again',
    );
  }

  #tell({ chunk, rows }: HeadResult): void {
    const { tokens, nll, divergence } = this.#sums;
    const whole = rows.to === this.#request.windows[chunk].rows.to;
    this.#request.running?.({
      windows: whole ? chunk + 1 : chunk,
      tokens,
      ppl: Math.exp(nll / tokens),
      divergence: this.#feed && divergence / tokens,
    });
  }
}

/**
 * Divergence over the entries of a file that leaves the unlikely ones out, from that of the entries scaled up to a
 * sum of 1, which is what the operation computes: the tail, which nobody knows, then adds nothing.
 */
function unscaled(divergence: number, mass: number): number {
  return mass * (divergence + Math.log(mass));
}

/**
 * @throws input error: logits or activations that are not finite, by segment and token.
 */
export async function measure(engine: Engine, request: MeasureRequest): Promise<Scores> {
  const { windows, base, progress } = request;
  const [{ rows: scored }] = windows;
  const rows = Math.min(engine.batch, scored.to - scored.from);
  const feed = await base?.feed(engine.backend, rows);
  const measurement = new Measurement(engine, request, rows, feed);
  try {
    await walk(engine, {
      chunks: windows.map(({ input }) => input),
      select: (chunk) => windows[chunk].rows,
      finish: (head) => measurement.finish(head),
      ...(progress ? { progress } : {}),
    });
  } finally {
    measurement.close();
  }
  return measurement.scores;
}
