/** From a model to a pipeline: file, backend, engine, service, task. What only Node can do is done in `platform`. */
import { type Backend, wasmBackend } from '../../backends/index.ts';
import { type ByteSource, blobSource, usageError } from '../../core/index.ts';
import {
  type GgufFile,
  httpSource,
  parseShardName,
  readGguf,
  shardName,
  trainedContext,
} from '../../gguf/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../text/index.ts';
import { openSequences } from '../batch-sequences.ts';
import { Engine } from '../engine.ts';
import { type ModelService, openService } from '../serving/index.ts';
import { featureExtractionPipeline } from './feature-extraction.ts';
import { Lifetime } from './lifetime.ts';
import {
  checkPipelineOptions,
  type EngineChoices,
  NODE_CHOICES,
  type PipelineOptions,
} from './pipeline-options.ts';
import { textGenerationPipeline } from './text-generation.ts';
import type { PipelineTask, PipelineTasks } from './types.ts';

/** A model where there is no Node: an address, a file that the user chose, or one that is open already. */
export type PortableModel = string | URL | Blob | GgufFile;

/** Positions where the model allows more: enough for an answer, and its caches are small. */
const DEFAULT_CONTEXT = 4096;

/** Answers side by side: enough that weights are not read for one token alone, few enough for their caches. */
const DEFAULT_BATCH_SIZE = 4;

type TaskTable = {
  readonly [Task in PipelineTask]: (service: ModelService, lifetime: Lifetime) => PipelineTasks[Task];
};

const TASKS: TaskTable = {
  'text-generation': textGenerationPipeline,
  'feature-extraction': featureExtractionPipeline,
};

/** @throws usage error: a task that is none. */
export function checkTask(task: PipelineTask): void {
  if (Object.hasOwn(TASKS, task)) return;
  throw usageError(`${String(task)} is no task of a pipeline`, `known: ${Object.keys(TASKS).join(', ')}`);
}

export function isGgufFile(model: unknown): model is GgufFile {
  return typeof model === 'object' && model !== null && 'tensors' in model && 'metadata' in model;
}

async function openUrl(url: string): Promise<GgufFile> {
  const shard = parseShardName(url);
  const urls = shard
    ? Array.from({ length: shard.count }, (_, i) => shardName(shard.prefix, i, shard.count))
    : [url];
  const sources: ByteSource[] = [];
  for (const one of urls) sources.push(await httpSource(one));
  return readGguf(sources);
}

/** @throws usage error: a string that is no address. */
function openPortable(model: Exclude<PortableModel, GgufFile>): Promise<GgufFile> {
  if (model instanceof Blob) return readGguf(blobSource(model));
  const url = String(model);
  if (/^(https?:|blob:|\.{0,2}\/)/i.test(url)) return openUrl(url);
  throw usageError(
    `${url} is no address of a model`,
    'here a model is a URL, a Blob or File, or an open GGUF; names of repositories and paths are for Node',
  );
}

/** What a pipeline stands on, from the ground up. */
export interface Ground {
  readonly file: GgufFile;
  readonly backend: Backend;
  /** Closes of these what is not the caller's. */
  readonly close: () => Promise<void>;
}

async function openEngine({ file, backend }: Ground, choices: EngineChoices): Promise<Engine> {
  const { context_size, batch_size, cache_type, memory } = choices;
  const open = (sequences: number) =>
    Engine.open(file, {
      backend,
      sequences,
      contextSize: context_size ?? Math.min(DEFAULT_CONTEXT, trainedContext(file) ?? DEFAULT_CONTEXT),
      ...(cache_type === undefined ? {} : { cacheType: cache_type }),
      ...(memory === undefined ? {} : { memory }),
    });
  const engine = await open(batch_size ?? DEFAULT_BATCH_SIZE);
  if (engine.resident || batch_size !== undefined) return engine;
  engine.close();
  return open(1);
}

/** The service closes its sequences; the engine is the caller's to close. */
async function openModelService(engine: Engine): Promise<ModelService> {
  const { file, hyper } = engine.model;
  const tokenizer = tokenizerOf(file);
  const hasTemplate = file.metadata.has('tokenizer.chat_template');
  return openService({
    sequences: await openSequences(engine),
    tokenizer,
    template: hasTemplate ? chatTemplateOf(file, tokenizer) : undefined,
    width: hyper.width,
    queue: Number.POSITIVE_INFINITY, // who gives a batch waits for all of it
  });
}

/** A pipeline on an open file and backend; when it cannot be made, both are closed as in the end. */
export async function pipelineOn<Task extends PipelineTask>(
  task: Task,
  ground: Ground,
  choices: EngineChoices,
): Promise<PipelineTasks[Task]> {
  try {
    const engine = await openEngine(ground, choices);
    const service = await openModelService(engine);
    const lifetime = new Lifetime(async () => {
      await service.close();
      engine.close();
      await ground.close();
    });
    return TASKS[task](service, lifetime);
  } catch (error) {
    await ground.close();
    throw error;
  }
}

/**
 * A model ready for a task, as in transformers.js: `await pipeline('text-generation', model)`. This is the form for
 * browsers; in Node the same import also takes paths and repositories.
 * @throws usage error: no such task or option, or a string that is no address; input error: not a model that can be run;
 *   network error: unreachable; resources error: it does not fit the memory.
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  model: PortableModel,
  options: PipelineOptions = {},
): Promise<PipelineTasks[Task]> {
  checkTask(task);
  checkPipelineOptions(options);
  for (const name of NODE_CHOICES) {
    if (options[name] !== undefined) throw usageError(`${name}: works in Node only`);
  }
  const file = isGgufFile(model) ? model : await openPortable(model);
  const backend = options.backend ?? (await wasmBackend());
  const close = async () => {
    if (file !== model) await file.close();
    if (backend !== options.backend) await backend.close();
  };
  return pipelineOn(task, { file, backend, close }, options);
}
