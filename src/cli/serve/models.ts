/** The models of a server: opened, given slots, and closed again. */
import { stat } from 'node:fs/promises';
import { type Engine, Gate, openSequences, openService } from '../../generate/index.ts';
import { type GgufFile, getNumber } from '../../gguf/index.ts';
import { isUrl } from '../../platform/index.ts';
import { FILE_TYPES } from '../../quantize/index.ts';
import type { ServedModel } from '../../server/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../text/index.ts';
import { type EngineFlags, openBackend, openEngine } from '../engine.ts';
import { type GenerationFlags, generationNeeds } from '../generation-options.ts';
import { openModel } from '../gguf.ts';
import { parseBytes } from '../option-values.ts';
import type { NamedModel } from './names.ts';
import { freeMemory, type OpenFile, planSlots, type SlotPlan } from './slots.ts';

export interface ModelFlags extends Omit<EngineFlags, 'model'>, Pick<GenerationFlags, 'ctxSize'> {}

export interface ServedModels {
  readonly models: readonly ServedModel[];
  readonly plan: SlotPlan;
  close(): Promise<void>;
}

/** What has to be closed, last opened first. */
type Closers = (() => void | Promise<void>)[];

/**
 * Opens all models and reads their weights. Each has a backend, and so a memory, of its own; they take turns on the cores.
 * @param slots sequences of each; undefined: as many as fit. @param queue requests that wait at most, of each.
 */
export async function openModels(
  named: readonly NamedModel[],
  flags: ModelFlags,
  { slots, queue }: { readonly slots: number | undefined; readonly queue: number },
): Promise<ServedModels> {
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const budget = flags.memory === undefined ? freeMemory() : parseBytes('--memory', flags.memory);
    const files: OpenFile[] = [];
    for (const { id, model } of named) files.push(await openFile(id, model, flags, closers));
    const needs = generationNeeds({ ...flags, stop: [] });
    const plan = await planSlots(files, slots, budget, ({ file, backend }, { sequences }) =>
      openEngine(file, backend, flags, { ...needs(file), ...(sequences ? { sequences } : {}) }),
    );
    const gate = new Gate();
    const models: ServedModel[] = [];
    for (const [index, { id, file }] of files.entries()) {
      const engine = plan.engines[index];
      closers.push(() => engine.close());
      models.push(await served(id, named[index].model, file, engine, { gate, queue, closers }));
    }
    return { models, plan, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openFile(id: string, model: string, flags: ModelFlags, closers: Closers): Promise<OpenFile> {
  const file = await openModel(model);
  closers.push(() => file.close());
  const backend = await openBackend(flags, true);
  closers.push(() => backend.close());
  return { id, file, backend };
}

interface Shared {
  readonly gate: Gate;
  readonly queue: number;
  readonly closers: Closers;
}

async function served(
  id: string,
  model: string,
  file: GgufFile,
  engine: Engine,
  { gate, queue, closers }: Shared,
): Promise<ServedModel> {
  const tokenizer = tokenizerOf(file);
  const service = openService({
    sequences: await openSequences(engine),
    tokenizer,
    template: chatTemplateOf(file, tokenizer),
    width: engine.model.hyper.width,
    queue,
    gate,
  });
  closers.push(() => service.close());
  const fileType = fileTypeOf(file);
  const { size } = file;
  return { id, created: await createdOf(model), ...(fileType ? { fileType } : {}), size, service };
}

/** `Q4_K_M`, where the file says it. */
function fileTypeOf({ metadata, name }: GgufFile): string | undefined {
  const id = getNumber(metadata, 'general.file_type', name);
  return Object.entries(FILE_TYPES).find(([, row]) => row.id === id)?.[0];
}

/** Seconds since 1970 of the file; of what is no file, now. */
async function createdOf(model: string): Promise<number> {
  const modified = isUrl(model) ? undefined : (await stat(model).catch(() => undefined))?.mtimeMs;
  return Math.floor((modified ?? Date.now()) / 1000);
}
