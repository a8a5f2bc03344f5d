/** The step that compares the weights of each quant with the original's. */
import path from 'node:path';
import { z } from 'zod';
import type { Executor } from '../../core/index.ts';
import { SAMPLED_ROWS, tensorErrors } from '../../evaluate/index.ts';
import type { GgufFile } from '../../gguf/index.ts';
import type { TensorErrors } from '../../report/index.ts';
import { withGguf } from '../gguf.ts';
import { readImportanceFile } from '../imatrix-files.ts';
import { inStep, keyOf, type MakeContext, withPool } from './context.ts';
import type { ImportanceMade } from './importance-step.ts';
import type { Original } from './originals.ts';
import type { QuantMade } from './quants-step.ts';

const STEP = 'errors';

const RESULT = z.record(z.string(), z.object({ format: z.string(), error: z.number() }));

function keyOfQuant(quant: QuantMade, original: Original, imatrix: ImportanceMade): string {
  const files = quant.files.map(({ sha256 }) => sha256);
  return keyOf(`${STEP}:${quant.type}`, original.identity, files, imatrix.sha256, SAMPLED_ROWS);
}

/** Errors of each quant's tensors by type, where they could be told. */
export async function measureErrors(
  context: MakeContext,
  original: Original,
  imatrix: ImportanceMade,
  quants: readonly QuantMade[],
): Promise<Map<string, TensorErrors>> {
  const { journal, progress, settings } = context;
  const found = new Map<string, TensorErrors>();
  const missing: { quant: QuantMade; key: string }[] = [];
  const own = progress.begin(STEP);
  for (const quant of quants) {
    const key = keyOfQuant(quant, original, imatrix);
    const result = RESULT.safeParse((await journal.standing(`${STEP}:${quant.type}`, key))?.result);
    if (result.success) found.set(quant.type, result.data);
    else missing.push({ quant, key });
  }
  if (missing.length === 0) {
    own.finish('unchanged');
    return found;
  }
  const matrix = await readImportanceFile(imatrix.file);
  const compare = async (file: GgufFile, quant: QuantMade, key: string, executor: Executor) => {
    const begun = performance.now();
    const quantFile = path.join(settings.output, quant.files[0].name);
    const errors = await withGguf(quantFile, (other) =>
      tensorErrors(file, other, matrix, { executor, maxRows: SAMPLED_ROWS }),
    );
    await journal.record(`${STEP}:${quant.type}`, key, [], errors, (performance.now() - begun) / 1000);
    found.set(quant.type, errors);
  };
  own.progress.start('comparing', missing.length, 'files');
  try {
    await withPool(context, (executor) =>
      withGguf(original.file, async (file) => {
        for (const [i, { quant, key }] of missing.entries()) {
          await compare(file, quant, key, executor);
          own.progress.update(i + 1, quant.type);
        }
      }),
    );
  } catch (error) {
    own.finish('failed');
    throw inStep(STEP, error);
  }
  own.finish('done');
  return found;
}
