/** `bitmill quantize`: a model into files of fewer bits. */
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import { filterEntries, type ImportanceMatrix, readImportanceMatrix } from '../../imatrix/index.ts';
import {
  availableThreads,
  fileIdentity,
  folderWorkspace,
  lockFolder,
  openFile,
  openGguf,
  workerPool,
} from '../../platform/index.ts';
import {
  bitsPerWeight,
  FILE_TYPES,
  type Mixture,
  namePattern,
  type Plan,
  planQuantization,
  type QuantizeOptions,
  RECIPE_SETS,
  type RunResult,
  type UserRecipe,
} from '../../quantize/index.ts';
import { EFFORTS } from '../../quants/index.ts';
import { ggufPath } from '../embedded.ts';
import { modelName } from '../gguf.ts';
import {
  collect,
  parseBytes,
  parseChoice,
  parseCount,
  parseFormat,
  parseOverrides,
  parseTensorType,
} from '../option-values.ts';
import { checkOutputName, protectInput, quantizeInto, readMixtures, readRecipes } from '../quantizing.ts';
import { formatSize, printJson, table, terminalProgress } from '../terminal.ts';
import { VERSION } from '../version.ts';

interface Flags {
  readonly output: string;
  readonly types?: string;
  readonly imatrix?: string;
  readonly includeWeights: string[];
  readonly excludeWeights: string[];
  readonly recipes: string[];
  readonly effort: string;
  readonly tensorType: string[];
  readonly keep: string[];
  readonly outputType?: string;
  readonly embeddingType?: string;
  readonly pure?: boolean;
  readonly leaveOutput?: boolean;
  readonly allowRequantize?: boolean;
  readonly overrideKv: string[];
  readonly split?: string;
  readonly name?: string;
  readonly dryRun?: boolean;
  readonly memory: string;
  readonly threads?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  bitmill quantize model-f16.gguf -o out --types Q4_K_M,Q6_K
  bitmill quantize model-bf16.gguf -o out --types all --imatrix model.imatrix.gguf --effort best
  bitmill quantize model-f16.gguf -o out --types IQ4_XS --tensor-type 'attn_v=Q6_K' --dry-run

File types: ${Object.keys(FILE_TYPES).join(', ')}
Groups: all, k, iq.
A recipe file makes a file type of its own; the first rule that matches a tensor's name decides:
  { "name": "mine", "base": "Q4_K_M", "rules": [{ "match": "attn_v|ffn_down", "type": "Q6_K" }] }
Recipes: ${RECIPE_SETS.map(({ name, description }) => `${name} (${description})`).join(', ')}`;

export function defineQuantize(command: Command): void {
  command
    .name('quantize')
    .description('quantize a model to one or many file types, in one pass over it')
    .argument('<model.gguf>', 'the model, in F32, F16 or BF16; of a model in shards any one')
    .requiredOption('-o, --output <dir>', 'folder for <model>-<TYPE>.gguf and manifest.json')
    .option('-t, --types <list>', 'file types or groups, e.g. Q4_K_M,IQ4_XS or all, k, iq')
    .option('--imatrix <file>', 'importance matrix (.gguf or .dat)')
    .option('--include-weights <text>', 'use only imatrix entries whose names contain this', collect, [])
    .option('--exclude-weights <text>', 'ignore imatrix entries whose names contain this', collect, [])
    .option('--recipes <name|file>', 'recipe set, or a recipe file (JSON); repeatable', collect, [])
    .option('--effort <fast|best>', 'how hard the encoders search', 'fast')
    .option('--tensor-type <pattern=type>', 'format of matching tensors; first match wins', collect, [])
    .option('--keep <pattern>', 'matching tensors keep their format', collect, [])
    .option('--output-type <type>', 'format of the output tensor')
    .option('--embedding-type <type>', 'format of the token embedding')
    .option('--pure', 'no mixture: every matrix in the default format of its file type')
    .option('--leave-output', 'the output tensor keeps its format')
    .option('--allow-requantize', 'quantize a model that is quantized already')
    .option('--override-kv <key=type:value>', 'set metadata, e.g. general.name=str:x', collect, [])
    .option('--split <size>', 'shards of at most that much tensor data, e.g. 2G')
    .option('--name <text>', 'the model part of the output names')
    .option('--dry-run', 'show choices and sizes only')
    .option('--memory <size>', 'memory for work in flight', '1GiB')
    .option('--threads <n>', 'worker threads (default: all cores)')
    .option('--json', 'print the result as JSON')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action((model: string, flags: Flags) => quantize(model, flags));
}

function chooseMixtures(flags: Flags, own: readonly UserRecipe[]): Mixture[] {
  if (flags.types === undefined) {
    if (own.length > 0) return [...own];
    throw usageError('no file type named', 'for example --types Q4_K_M,IQ4_XS; groups are all, k and iq');
  }
  return readMixtures(flags.types, own);
}

async function readImportance(flags: Flags): Promise<ImportanceMatrix | null> {
  const { includeWeights: include, excludeWeights: exclude } = flags;
  if (flags.imatrix === undefined) {
    if (include.length + exclude.length > 0)
      throw usageError('--include-weights and --exclude-weights need --imatrix');
    return null;
  }
  const source = await openFile(flags.imatrix);
  try {
    const matrix = filterEntries(await readImportanceMatrix(source), { include, exclude });
    if (matrix.entries.size === 0)
      throw usageError('the weight filters leave nothing of the importance matrix');
    return matrix;
  } finally {
    await source.close();
  }
}

async function readOptions(file: string, flags: Flags): Promise<QuantizeOptions> {
  const { set, own } = await readRecipes(flags.recipes);
  const format = (option: string, text: string | undefined) =>
    text === undefined ? undefined : parseFormat(option, text);
  return {
    mixtures: chooseMixtures(flags, own),
    recipes: set,
    effort: parseChoice('--effort', flags.effort, EFFORTS),
    imatrix: await readImportance(flags),
    model: flags.name ?? modelName(file),
    version: VERSION,
    tensorTypes: flags.tensorType.map(parseTensorType),
    keep: flags.keep.map(namePattern),
    outputType: format('--output-type', flags.outputType),
    embeddingType: format('--embedding-type', flags.embeddingType),
    pure: flags.pure ?? false,
    leaveOutput: flags.leaveOutput ?? false,
    allowRequantize: flags.allowRequantize ?? false,
    overrides: parseOverrides(flags.overrideKv),
    shardBytes: flags.split === undefined ? undefined : parseBytes('--split', flags.split),
  };
}

/** Output files of a plan by the name of their mixture. */
function byType(plan: Plan): Map<string, Plan['files'][number][]> {
  const types = new Map<string, Plan['files'][number][]>();
  for (const file of plan.files) types.set(file.type, [...(types.get(file.type) ?? []), file]);
  return types;
}

/** One row a file type: what it is made of, its size. */
function summarize(plan: Plan, result?: RunResult): object[] {
  return [...byType(plan)].map(([type, files]) => {
    const tensors = files.flatMap((file) => file.tensors);
    return {
      type,
      files: files.map(({ name, layout }) => ({
        name,
        bytes: layout.size,
        ...(result ? { sha256: result.files.find((one) => one.name === name)?.sha256 } : {}),
      })),
      bytes: files.reduce((sum, { layout }) => sum + layout.size, 0),
      bits_per_weight: bitsPerWeight(files),
      encode_seconds: result?.encodeSeconds.get(type) ?? 0,
      tensors: Object.fromEntries(tensors.map(({ source, format }) => [source.name, format])),
    };
  });
}

/** `Q4_K 161, Q6_K 33, F32 65`: how many tensors have which format. */
function mix(files: Plan['files']): string {
  const counts = new Map<string, number>();
  for (const { format } of files.flatMap(({ tensors }) => tensors))
    counts.set(format, (counts.get(format) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([format, n]) => `${format} ${n}`)
    .join(', ');
}

function show(plan: Plan, result: RunResult | undefined): string {
  const head = ['file', 'size', 'bits/weight', result ? 'encoding' : 'tensors'];
  const rows = [...byType(plan)].map(([type, files]) => [
    files.length === 1 ? files[0].name : `${files[0].name} … (${files.length} shards)`,
    formatSize(files.reduce((sum, { layout }) => sum + layout.size, 0)),
    bitsPerWeight(files).toFixed(3),
    result ? `${(result.encodeSeconds.get(type) ?? 0).toFixed(1)} s` : mix(files),
  ]);
  return table([head, ...rows], result ? [1, 2, 3] : [1, 2]);
}

/** Interrupting once stops after the chunks in flight; the same command goes on. Twice stops at once. */
function stopOnInterrupt(): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const stop = (): void => {
    process.removeListener('SIGINT', stop);
    process.stderr.write('\nstopping after the work in hand; once more stops at once\n');
    controller.abort();
  };
  process.on('SIGINT', stop);
  return { signal: controller.signal, done: () => void process.removeListener('SIGINT', stop) };
}

async function run(plan: Plan, flags: Flags): Promise<RunResult> {
  const threads = flags.threads === undefined ? availableThreads() : parseCount('--threads', flags.threads);
  const memory = parseBytes('--memory', flags.memory);
  const executor = workerPool(threads);
  let release: (() => Promise<void>) | undefined;
  const interrupt = stopOnInterrupt();
  try {
    // Makes the folder; a lock wants one.
    await folderWorkspace(flags.output);
    release = await lockFolder(flags.output);
    return await quantizeInto(flags.output, plan, {
      executor,
      progress: terminalProgress({ quiet: flags.quiet ?? false }),
      identity: await fileIdentity(plan.model.shards),
      memory,
      signal: interrupt.signal,
    });
  } finally {
    interrupt.done();
    await release?.();
    await executor.close();
  }
}

async function quantize(named: string, flags: Flags): Promise<void> {
  const file = await ggufPath(named, 'original');
  const options = await readOptions(file, flags);
  if (flags.output === '') throw usageError('--output: the folder has no name');
  checkOutputName(options.model);
  const model = await openGguf(file);
  try {
    const plan = planQuantization(model, options);
    protectInput(model, plan, flags.output);
    const { warn } = terminalProgress();
    for (const note of plan.notes) warn(note);
    const result = flags.dryRun ? undefined : await run(plan, flags);
    if (flags.json) {
      const { seconds = 0, resumedBytes = 0 } = result ?? {};
      printJson({ types: summarize(plan, result), notes: plan.notes, seconds, resumed_bytes: resumedBytes });
      return;
    }
    process.stdout.write(`${show(plan, result)}\n`);
    if (result)
      process.stderr.write(
        `${plan.files.length} ${plan.files.length === 1 ? 'file' : 'files'} in ${result.seconds.toFixed(1)} s: ${flags.output}\n`,
      );
  } finally {
    await model.close();
  }
}
