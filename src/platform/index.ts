/** Platform: files, threads and caches of Node, handed to everything below as plain interfaces. */
export {
  BACKEND_NAMES,
  type BackendName,
  type ChosenBackend,
  chooseBackend,
  DEFAULT_BACKEND,
  type NativeSupport,
  nativeSupport,
  type OpenOptions,
} from './backends.ts';
export * from './cache-folder.ts';
export * from './checkpoint.ts';
export { EMBEDDED_MODELS, type EmbeddedName, embeddedHint, embeddedModel } from './embedded.ts';
export type { ModelForm } from './embedded-files.ts';
export { allowRelaxedSimd, spawnEngineThread } from './engine-threads.ts';
export * from './files.ts';
export { isUrl, openGguf, openSource } from './gguf.ts';
export { hashFile } from './hash-job.ts';
export { type GgufHashes, hashGguf } from './hashes.ts';
export { type ResolvedModel, resolveModel } from './hub.ts';
export { hubCacheFolder, type ResolveOptions } from './hub-download.ts';
export {
  chooseGguf,
  type GgufOptions,
  parseGgufName,
  type ResolvedGguf,
  resolveGguf,
} from './hub-gguf.ts';
export { HubError, type HubSettings } from './hub-request.ts';
export { type Uploaded, type UploadFile, type UploadOptions, uploadFiles } from './hub-upload.ts';
export { type HugePages, hugePages, koffiSystem, koffiVersion, type NoSystem } from './koffi-system.ts';
export { lockFolder } from './lock.ts';
export { type LevelUse, type MachineFacts, machineFacts, measureMachine } from './machine.ts';
export * from './model-cache.ts';
export { type ModelPathOptions, modelPath } from './model-name.ts';
export { planRemoval, type Removal, remove } from './model-removal.ts';
export { type NodePipelineOptions, pipeline } from './pipeline.ts';
export { type Pulled, pullRepository } from './pull.ts';
export { type QuantizeSettings, quantizeInto } from './quantizing.ts';
export { VERSION } from './version.ts';
export { availableThreads, workerPool } from './workers.ts';
export * from './workspace.ts';
