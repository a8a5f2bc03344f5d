/** `pipeline` in Node: models by path, address or name, computed on all cores. */
import { fileURLToPath } from 'node:url';
import type { Backend, LevelName } from '../backends/index.ts';
import { blobSource, usageError } from '../core/index.ts';
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
import { type BackendName, type ChosenBackend, checkBackendNames, chooseBackend } from './backends.ts';
import { openGguf } from './gguf.ts';
import { modelPath } from './model-name.ts';

/** In Node the backend can be named, too. */
export interface NodePipelineOptions extends Omit<PipelineOptions, 'backend'> {
  /**
   * What computes: an open backend, which stays the caller's to close, or the name of one. `auto` is machine code where
   * the processor and koffi allow it, else WebAssembly. Default: as `bitmill run`.
   */
  readonly backend?: Backend | BackendName | undefined;
  /** Set of instructions of the native backend; default: the best that this machine has. */
  readonly level?: LevelName | undefined;
}

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
  options: NodePipelineOptions = {},
): Promise<PipelineTasks[Task]> {
  checkTask(task);
  const { backend: wanted, level, ...others } = options;
  const given = typeof wanted === 'object' ? wanted : undefined;
  const name = typeof wanted === 'object' ? undefined : wanted;
  checkPipelineOptions(others);
  checkBackendNames(name, level);
  if (given && level !== undefined) throw usageError('level: the backend is open already');
  // WebAssembly is transformers.js's device as well as our backend.
  const named = name ?? (options.device === 'wasm' ? 'wasm' : undefined);
  const choice = given ?? (await chooseBackend(named, level));
  const file = await openAny(model, others);
  const closeFile = async () => {
    if (file !== model) await file.close();
  };
  const backend = 'open' in choice ? await openBackend(choice, options.threads, closeFile) : choice;
  const close = async () => {
    await closeFile();
    if (backend !== given) await backend.close();
  };
  return pipelineOn(task, { file, backend, close }, others);
}

/** As `bitmill run` computes. */
async function openBackend(
  choice: ChosenBackend,
  threads: number | undefined,
  onFailure: () => Promise<void>,
): Promise<Backend> {
  try {
    return await choice.open({ threads, relaxed: true });
  } catch (error) {
    await onFailure();
    throw error;
  }
}

async function openAny(model: PortableModel, options: PipelineOptions): Promise<GgufFile> {
  if (isGgufFile(model)) return model;
  if (model instanceof Blob) return readGguf(blobSource(model));
  const name = model instanceof URL && model.protocol === 'file:' ? fileURLToPath(model) : String(model);
  return openGguf(await modelPath(name, options));
}
