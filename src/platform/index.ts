/** Platform: files, threads and caches of Node, handed to everything below as plain interfaces. */
export * from './cache-folder.ts';
export * from './checkpoint.ts';
export { EMBEDDED_MODELS, type EmbeddedName, embeddedHint, embeddedModel } from './embedded.ts';
export { allowRelaxedSimd, spawnEngineThread } from './engine-threads.ts';
export * from './files.ts';
export { isUrl, openGguf, openSource } from './gguf.ts';
export { hashFile } from './hash-job.ts';
export { type GgufHashes, hashGguf } from './hashes.ts';
export { type ResolvedModel, type ResolveOptions, resolveModel } from './hub.ts';
export { HubError, type HubSettings } from './hub-request.ts';
export { type Uploaded, type UploadFile, type UploadOptions, uploadFiles } from './hub-upload.ts';
export { lockFolder } from './lock.ts';
export { availableThreads, workerPool } from './workers.ts';
export * from './workspace.ts';
