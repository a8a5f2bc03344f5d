/** `pipeline` in Node: models by path, address or name, computed on all cores. */
import { fileURLToPath } from 'node:url';
import { type Backend, wasmBackend } from '../backends/index.ts';
import { blobSource } from '../core/index.ts';
import {
  checkNames,
  checkSizes,
  checkTask,
  ENGINE_CHOICES,
  type EngineChoices,
  isGgufFile,
  type PipelineTask,
  type PipelineTasks,
  type PortableModel,
  pipelineOn,
} from '../generate/index.ts';
import { type GgufFile, readGguf } from '../gguf/index.ts';
import { allowRelaxedSimd, spawnEngineThread } from './engine-threads.ts';
import { openGguf } from './gguf.ts';
import { type ModelNameOptions, modelPath } from './model-name.ts';
import { availableThreads } from './workers.ts';

/** Options of `pipeline` in Node. */
export interface PipelineOptions extends EngineChoices, ModelNameOptions {
  /** Threads that compute; default: all cores. */
  readonly threads?: number | undefined;
}

const OPTIONS = {
  ...ENGINE_CHOICES,
  threads: true,
  dtype: true,
  revision: true,
  cache_dir: true,
  local_files_only: true,
  progress_callback: true,
} as const satisfies Record<keyof PipelineOptions, true>;

/**
 * A model ready for a task, as in transformers.js.
 * @param model a GGUF file's path (any shard) or address; `owner/name` of a hub, with `:Q4_K_M` or `dtype` for the file;
 *   `phi3-tiny`, which comes with bitmill; a `Blob`, or an open `GgufFile`, which stays the caller's to close.
 * @throws usage error: no such task, option or file type; input error: nothing there, or not a model that can be run;
 *   network error: the hub; resources error: it does not fit the memory.
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  model: PortableModel,
  options: PipelineOptions = {},
): Promise<PipelineTasks[Task]> {
  checkTask(task);
  checkNames(options, Object.keys(OPTIONS), 'option of pipeline');
  const { threads = availableThreads(), backend: given, context_size, batch_size, memory } = options;
  checkSizes({ threads, context_size, batch_size, memory });
  const file = await openAny(model, options);
  const backend = given ?? (await openBackend(threads));
  const close = async () => {
    if (file !== model) await file.close();
    if (backend !== given) await backend.close();
  };
  return pipelineOn(task, { file, backend, close }, options);
}

/** As `bitmill run` computes. */
function openBackend(threads: number): Promise<Backend> {
  allowRelaxedSimd();
  return wasmBackend({ threads, spawn: spawnEngineThread });
}

async function openAny(model: PortableModel, options: PipelineOptions): Promise<GgufFile> {
  if (isGgufFile(model)) return model;
  if (model instanceof Blob) return readGguf(blobSource(model));
  const name = model instanceof URL && model.protocol === 'file:' ? fileURLToPath(model) : String(model);
  return openGguf(await modelPath(name, options));
}
