/** `pipeline` in Node: models by path, address or name, computed on all cores. */
import { fileURLToPath } from 'node:url';
import { type Backend, wasmBackend } from '../backends/index.ts';
import { blobSource } from '../core/index.ts';
import {
  checkPipelineOptions,
  checkTask,
  isGgufFile,
  type PipelineOptions,
  type PipelineTask,
  type PipelineTasks,
  type PortableModel,
  pipelineOn,
} from '../generate/index.ts';
import { type GgufFile, readGguf } from '../gguf/index.ts';
import { allowRelaxedSimd, spawnEngineThread } from './engine-threads.ts';
import { openGguf } from './gguf.ts';
import { modelPath } from './model-name.ts';
import { availableThreads } from './workers.ts';

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
  checkPipelineOptions(options);
  const { threads = availableThreads(), backend: given } = options;
  const file = await openAny(model, options);
  const backend =
    given ??
    (await openBackend(threads).catch(async (error: unknown) => {
      if (file !== model) await file.close();
      throw error;
    }));
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
