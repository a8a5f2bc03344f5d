/** The step that makes all quants that are missing, in one pass over the original. */
import path from 'node:path';
import { BitmillError } from '../../core/index.ts';
import type { GgufFile } from '../../gguf/index.ts';
import type { ImportanceMatrix } from '../../imatrix/index.ts';
import { sha256 } from '../../platform/index.ts';
import {
  bitsPerWeight,
  type Mixture,
  mixtureName,
  type Plan,
  planKeys,
  planQuantization,
  type QuantizeOptions,
  type Workspace,
} from '../../quantize/index.ts';
import type { SetFile } from '../../report/index.ts';
import { withGguf } from '../gguf.ts';
import { readImportanceFile } from '../imatrix-files.ts';
import { protectInput, quantizeInto } from '../quantizing.ts';
import { VERSION } from '../version.ts';
import { inStep, keyOf, type MakeContext, withPool } from './context.ts';
import type { ImportanceMade } from './importance-step.ts';
import type { Original } from './originals.ts';
import type { StepRecord } from './steps.ts';

/** A quant that is there. */
export interface QuantMade {
  readonly type: string;
  readonly files: readonly SetFile[];
  readonly bitsPerWeight: number;
}

const STEP = 'quantize';

/** Bytes of work in flight at most, as `bitmill quantize` has it. */
const MEMORY = 2 ** 30;

function optionsOf(
  { settings }: MakeContext,
  imatrix: ImportanceMatrix,
  model: string,
): Omit<QuantizeOptions, 'mixtures'> {
  return { recipes: settings.recipes.set, effort: settings.effort, imatrix, model, version: VERSION };
}

/** A plan of all types that can be planned; the others are among the failures. */
function planTypes(
  { settings, failures, progress }: MakeContext,
  file: GgufFile,
  options: Omit<QuantizeOptions, 'mixtures'>,
): Plan {
  const { mixtures } = settings;
  try {
    return planQuantization(file, { ...options, mixtures });
  } catch (error) {
    if (!(error instanceof BitmillError) || mixtures.length === 1) throw error;
    const fit = mixtures.filter((mixture: Mixture) => {
      try {
        planQuantization(file, { ...options, mixtures: [mixture] });
        return true;
      } catch (refusal) {
        if (!(refusal instanceof BitmillError)) throw refusal;
        failures.push(refusal);
        progress.warn(`left out: ${refusal.message}`);
        return false;
      }
    });
    if (fit.length === 0) throw error;
    return planQuantization(file, { ...options, mixtures: fit });
  }
}

/** The pass over the original. @param signal stops it after the work in hand. */
async function quantize(
  context: MakeContext,
  plan: Plan,
  original: Original,
  signal: AbortSignal,
): Promise<void> {
  const { settings, journal } = context;
  const { output, memory = 2 * MEMORY } = settings;
  // What was hashed since it was written is not hashed again.
  const adapt = (workspace: Workspace): Workspace => ({
    ...workspace,
    hash: async (name, which) =>
      which === 'whole'
        ? (await journal.fileOf(path.join(output, name))).sha256
        : workspace.hash(name, which),
  });
  const own = context.progress.begin(STEP);
  const { progress } = own;
  for (const note of plan.notes) progress.warn(note);
  const started = performance.now();
  try {
    const result = await withPool(context, (executor) =>
      quantizeInto(output, plan, {
        ...{ executor, progress, signal, adapt },
        identity: original.identity,
        memory: Math.min(MEMORY, memory / 2),
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    for (const { name, sha256: hash } of result.files) await journal.remember(path.join(output, name), hash);
    await journal.record(STEP, '', [], null, seconds);
    own.finish('done', `${result.files.length} files`);
  } catch (error) {
    own.finish('failed');
    throw inStep(STEP, error);
  }
}

/** A type of the plan and its record, where its files stand. */
async function standing(
  { journal }: MakeContext,
  type: string,
  key: string,
): Promise<StepRecord | undefined> {
  return journal.standing(`quant:${type}`, key);
}

/** Makes what is missing. @param protect told to let Ctrl-C stop the pass instead of the process. */
export async function makeQuants(
  context: MakeContext,
  original: Original,
  imatrix: ImportanceMade,
  name: string,
  protect: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<QuantMade[]> {
  const { journal, settings } = context;
  const matrix = await readImportanceFile(imatrix.file);
  return withGguf(original.file, async (file) => {
    const plan = planTypes(context, file, optionsOf(context, matrix, name));
    protectInput(file, plan, settings.output);
    const keys = planKeys(plan, original.identity, sha256);
    const types = plan.options.mixtures.map((mixture) => {
      const type = mixtureName(mixture);
      const files = plan.files.filter((one) => one.type === type);
      return {
        type,
        files,
        key: keyOf(
          `quant:${type}`,
          files.map((one) => keys.files.get(one.name) ?? ''),
        ),
      };
    });
    const found = await Promise.all(types.map(({ type, key }) => standing(context, type, key)));
    if (found.every((record) => record !== undefined)) {
      context.progress.begin(STEP).finish('unchanged');
    } else {
      // Always the whole plan, so that its journal serves however often it is cut off; what stands is left alone.
      await protect((signal) => quantize(context, plan, original, signal));
    }
    const made: QuantMade[] = [];
    for (const [i, { type, files, key }] of types.entries()) {
      const names = files.map((one) => one.name);
      const record = found[i] ?? (await journal.record(`quant:${type}`, key, names, null, 0));
      made.push({ type, files: record.outputs, bitsPerWeight: bitsPerWeight(files) });
    }
    return made;
  });
}
