/** The step that measures which columns matter. */
import path from 'node:path';
import { z } from 'zod';
import type { Progress } from '../../core/index.ts';
import type { QuantSet } from '../../report/index.ts';
import { withEngine } from '../engine.ts';
import { measureImportance } from '../importance.ts';
import { type MakeContext, runStep } from './context.ts';
import type { Inputs, Original } from './originals.ts';

const RESULT = z.object({ chunks: z.number(), ppl: z.number().nullable() });
type Result = z.infer<typeof RESULT>;

/** Chunks between partial files, from which an interrupted run goes on. */
const SAVE_EVERY = 10;

async function measure(
  { settings }: MakeContext,
  original: Original,
  output: string,
  progress: Progress,
): Promise<Result> {
  const { contextSize, calibration, calibrationChunks, engine } = settings;
  const needs = () => ({ contextSize });
  const outcome = await withEngine({ ...engine, model: original.file }, needs, (opened) =>
    measureImportance(
      opened,
      {
        texts: { file: [calibration.file], chat: [], tokens: [] },
        parseSpecial: calibration.parseSpecial,
        output,
        form: 'gguf',
        chunkSize: contextSize,
        limit: calibrationChunks ?? Number.POSITIVE_INFINITY,
        skip: 0,
        saveEvery: SAVE_EVERY,
        processOutput: false,
        perplexity: true,
        restart: 'changed',
        quiet: true,
        progress,
      },
      [],
    ),
  );
  return { chunks: outcome.matrix.chunkCount, ppl: outcome.perplexity?.value ?? null };
}

export interface ImportanceMade {
  /** With its folder. */
  readonly file: string;
  readonly sha256: string;
  readonly facts: NonNullable<QuantSet['imatrix']>;
}

export async function makeImportance(
  context: MakeContext,
  original: Original,
  inputs: Inputs,
  name: string,
): Promise<ImportanceMade> {
  const { output, contextSize, calibration, calibrationChunks, computed } = context.settings;
  const file = `${name}.imatrix.gguf`;
  const { parseSpecial } = calibration;
  const text = [path.basename(calibration.file), inputs.calibration, parseSpecial];
  const { record, result } = await runStep(context, {
    id: 'imatrix',
    depends: [file, original.identity, text, contextSize, calibrationChunks ?? null, computed],
    files: () => [file],
    result: RESULT,
    work: (progress) => measure(context, original, path.join(output, file), progress),
    note: ({ chunks }) => `${chunks} chunks`,
  });
  const [made] = record.outputs;
  const { chunks } = result;
  return {
    file: path.join(output, file),
    sha256: made.sha256,
    facts: { file: made, chunks, contextSize, tokens: chunks * contextSize, parseSpecial },
  };
}
