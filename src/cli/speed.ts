/**
 * How fast a model runs: tokens a second of a prompt and of generation. Tokens are random, seeded, so models without a
 * tokenizer will do; nothing is sampled. Speeds in tokens per second.
 */
import { type Engine, Session, weightBytes } from '../generate/index.ts';

export interface SpeedRequest {
  /** Tokens of the prompt; 0: not measured. */
  readonly prompt: number;
  /** Tokens generated; 0: not measured. */
  readonly generated: number;
  /** Positions that the caches hold before either. */
  readonly depth: number;
  readonly reps: number;
}

/** Over repetitions. `sd` is the sample's; null for a single repetition. */
export interface Speed {
  readonly mean: number;
  readonly best: number;
  readonly sd: number | null;
}

export interface Speeds {
  readonly prompt: Speed | null;
  readonly generation: Speed | null;
}

/** Tokens that run before anything is timed: enough for V8 to compile the kernels with its optimizer. */
const WARM_UP = 64;
const SEED = 1;

/** Uniform token ids, the same every time (mulberry32). */
function randomTokens(count: number, vocabulary: number): Int32Array {
  let state = SEED;
  return Int32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % vocabulary;
  });
}

/** Bytes of weights that one generated token reads: everything but the embedding, of which it reads one row. */
export function bytesPerToken({ backend, graphs }: Engine): number {
  const graphsRead = [...graphs.layers, graphs.final, graphs.output];
  const read = new Map(graphsRead.flatMap(({ weights }) => weights.map((weight) => [weight.name, weight])));
  return [...read.values()].reduce((sum, weight) => sum + weightBytes(backend, weight), 0);
}

function summarize(count: number, seconds: readonly number[]): Speed | null {
  if (count === 0) return null;
  const speeds = seconds.map((value) => count / value);
  const mean = speeds.reduce((sum, value) => sum + value, 0) / speeds.length;
  const squares = speeds.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const sd = speeds.length > 1 ? Math.sqrt(squares / (speeds.length - 1)) : null;
  return { mean, best: Math.max(...speeds), sd };
}

/** Seconds that `work` takes on a sequence of `depth` tokens, `reps` times. */
async function timed(
  session: Session,
  tokens: Int32Array,
  { depth, reps }: SpeedRequest,
  work: () => Promise<void>,
): Promise<number[]> {
  const seconds: number[] = [];
  for (let rep = 0; rep < reps; rep++) {
    if (session.position < depth) await session.feed(tokens.slice(session.position, depth));
    session.rewind(depth);
    const start = performance.now();
    await work();
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}

/** Measures a resident model. @throws resources error: its weights do not fit the memory at once. */
export async function measureSpeed(engine: Engine, request: SpeedRequest): Promise<Speeds> {
  const { prompt, generated, depth } = request;
  const tokens = randomTokens(Math.max(prompt, generated, depth, 1), engine.model.hyper.vocabulary);
  const session = await Session.open(engine);
  const generate = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await session.feed(tokens.slice(i, i + 1));
  };
  try {
    if (prompt > 0) await session.feed(tokens.slice(0, Math.min(prompt, WARM_UP)));
    session.rewind(0);
    await generate(Math.min(generated, 2));
    session.rewind(0);
    const prompts =
      prompt > 0
        ? await timed(
            session,
            tokens,
            request,
            async () => void (await session.feed(tokens.slice(0, prompt))),
          )
        : [];
    const steps = generated > 0 ? await timed(session, tokens, request, () => generate(generated)) : [];
    return { prompt: summarize(prompt, prompts), generation: summarize(generated, steps) };
  } finally {
    session.close();
  }
}
