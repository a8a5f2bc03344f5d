/** `bitmill bench`: tokens a second of one model on one backend, and what they cost in memory. */
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import type { Engine } from '../../generate/index.ts';
import { addEngineOptions, backendJson, type EngineFlags, withEngine } from '../engine.ts';
import { parseCount } from '../option-values.ts';
import { bytesPerToken, measureSpeed, type Speed, type SpeedRequest, type Speeds } from '../speed.ts';
import { formatSize, printJson, table } from '../terminal.ts';

interface BenchFlags extends EngineFlags {
  readonly prompt: string;
  readonly generate: string;
  readonly depth: string;
  readonly reps: string;
  readonly json?: boolean;
}

/** Tokens at most: what fits a context that anyone has trained for. */
const MOST_TOKENS = 1 << 20;

function parseTokens(option: string, text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= MOST_TOKENS)) throw usageError(`${option} ${text}: 0 to ${MOST_TOKENS} tokens are allowed`);
  return count;
}

function requestOf(flags: BenchFlags): SpeedRequest {
  const request = {
    prompt: parseTokens('-p', flags.prompt),
    generated: parseTokens('-n', flags.generate),
    depth: parseTokens('-d', flags.depth),
    reps: parseCount('--reps', flags.reps),
  };
  if (request.prompt + request.generated === 0) throw usageError('-p 0 -n 0: nothing to measure');
  return request;
}

/** What `--json` prints. Speeds in tokens per second, sizes in bytes. */
function reportOf(engine: Engine, flags: BenchFlags, request: SpeedRequest, speeds: Speeds) {
  const { backend, model } = engine;
  const perToken = bytesPerToken(engine);
  const of = (name: 'prompt' | 'gen', speed: Speed | null) => ({
    [`${name}_tps`]: speed?.mean ?? null,
    [`${name}_tps_sd`]: speed?.sd ?? null,
    [`${name}_tps_best`]: speed?.best ?? null,
  });
  return {
    model: flags.model,
    architecture: model.architecture,
    ...backendJson(backend),
    threads: backend.threads,
    attention: flags.attention,
    cache_type: engine.cacheType,
    prompt_tokens: request.prompt,
    gen_tokens: request.generated,
    depth: request.depth,
    reps: request.reps,
    ...of('prompt', speeds.prompt),
    ...of('gen', speeds.generation),
    weight_bytes_per_token: perToken,
    bytes_per_second: speeds.generation ? perToken * speeds.generation.mean : null,
    peak_rss: 1024 * process.resourceUsage().maxRSS,
  };
}

function speedRow(what: string, speed: Speed | null, note: string): string[][] {
  if (!speed) return [];
  const sd = speed.sd === null ? '' : `± ${speed.sd.toFixed(2)}`;
  return [[what, speed.mean.toFixed(2), sd, note]];
}

function printTable(report: ReturnType<typeof reportOf>, speeds: Speeds): void {
  const { model, architecture, backend, level, threads, attention, cache_type, depth, bytes_per_second } =
    report;
  const after = depth > 0 ? ` after ${depth}` : '';
  const read = bytes_per_second === null ? '' : `${formatSize(bytes_per_second)} of weights a second`;
  process.stdout.write(
    `${model}: ${architecture}, ${level === null ? backend : `${backend} (${level})`}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${attention} attention, ${cache_type} cache\n`,
  );
  const rows = [
    ['', 'tokens/s', '', ''],
    ...speedRow(`prompt of ${report.prompt_tokens}${after}`, speeds.prompt, ''),
    ...speedRow(`generation of ${report.gen_tokens}${after}`, speeds.generation, read),
  ];
  process.stdout.write(`${table(rows, [1])}\npeak memory ${formatSize(report.peak_rss)}\n`);
}

async function bench(flags: BenchFlags): Promise<void> {
  const request = requestOf(flags);
  const contextSize = request.depth + Math.max(request.prompt, request.generated);
  await withEngine(
    flags,
    () => ({ contextSize, relaxed: true }),
    async (engine) => {
      const speeds = await measureSpeed(engine, request);
      const report = reportOf(engine, flags, request, speeds);
      if (flags.json) printJson(report);
      else printTable(report, speeds);
    },
  );
}

export function defineBench(command: Command): void {
  addEngineOptions(command.name('bench').description('measure tokens a second and memory of a model'), 'f16')
    .option('-p, --prompt <n>', 'tokens of the prompt; 0: leave it out', '512')
    .option('-n, --generate <n>', 'tokens to generate; 0: leave it out', '32')
    .option('-d, --depth <n>', 'tokens in the context before that', '0')
    .option('--reps <n>', 'repetitions; mean and standard deviation are over them', '3')
    .option('--json', 'print JSON')
    .action(bench);
}
