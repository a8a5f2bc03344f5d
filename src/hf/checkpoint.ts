/**
 * Opens a checkpoint: config.json and the weights, in one safetensors file or in shards with an index. Only
 * headers are read at first; every name from the files is checked before it is used to open another file.
 */
import { type ByteSource, checkRange, inputError } from '../core/index.ts';
import { asRecord, decodeUtf8, describe, MAX_JSON_BYTES, parseJson } from './json.ts';
import { readSafetensors, type SafetensorsEntry } from './safetensors.ts';
import type { Checkpoint, CheckpointFiles } from './types.ts';

export const CONFIG_FILE = 'config.json';
export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Files that are Python pickles: loading one runs whatever code it names. */
export const PICKLE = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;

/** Most names in one message. */
const NAMED = 8;

interface Place {
  readonly entry: SafetensorsEntry;
  readonly source: ByteSource;
}

/** Whether a name is that of a file in the folder itself: no separators, no `..`, nothing invisible. */
export function isPlainName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  return name.length > 0 && name.length <= 255 && !/[/\\:\u0000-\u001f]/.test(name) && !/^\.\.?$/.test(name);
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).map(describe).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

async function withSource<T>(source: ByteSource, use: (source: ByteSource) => Promise<T>): Promise<T> {
  try {
    return await use(source);
  } finally {
    await source.close?.();
  }
}

/** All bytes of a small file; undefined where there is none. */
async function readSmall(files: CheckpointFiles, file: string): Promise<Uint8Array | undefined> {
  const source = await files.open(file);
  if (!source) return undefined;
  return withSource(source, async ({ name, size }) => {
    if (size > MAX_JSON_BYTES) throw inputError(name, `is ${size} bytes; at most ${MAX_JSON_BYTES} are read`);
    return source.read(0, size);
  });
}

function place(files: CheckpointFiles, file: string): string {
  return `${files.name}/${file}`;
}

async function readConfig(files: CheckpointFiles): Promise<Record<string, unknown>> {
  const bytes = await readSmall(files, CONFIG_FILE);
  if (bytes) return asRecord(parseJson(bytes, place(files, CONFIG_FILE)), place(files, CONFIG_FILE));
  throw inputError(
    files.name,
    `has no ${CONFIG_FILE}`,
    'A checkpoint is a folder with config.json and *.safetensors.',
  );
}

/** tensor -> shard, as the index says. */
function readIndex(files: CheckpointFiles, bytes: Uint8Array): Map<string, string> {
  const at = place(files, INDEX_FILE);
  const index = asRecord(parseJson(bytes, at, { uniqueNames: true }), at);
  const shards = new Map<string, string>();
  for (const [tensor, file] of Object.entries(asRecord(index['weight_map'], `${at}: weight_map`))) {
    if (typeof file !== 'string' || !isPlainName(file) || !file.endsWith('.safetensors')) {
      const problem = `tensor ${describe(tensor)} is said to be in ${describe(file)}`;
      throw inputError(at, problem, 'A shard is a *.safetensors file beside the index, never a path.');
    }
    shards.set(tensor, file);
  }
  if (shards.size === 0) throw inputError(at, 'names no tensors');
  return shards;
}

/** Why there are no weights to open. */
function noWeights(files: CheckpointFiles, names: readonly string[]): Error {
  const shard = names.find((name) => name.endsWith('.safetensors'));
  if (shard)
    return inputError(files.name, `has ${describe(shard)}, but neither ${SINGLE_FILE} nor ${INDEX_FILE}`);
  const pickles = names.filter((name) => PICKLE.test(name));
  if (pickles.length > 0) {
    return inputError(
      files.name,
      `holds its weights as Python pickles (${listNames(pickles)}), which can run code on loading; bitmill does not open them`,
      'Convert to safetensors first: load the model in transformers, in a sandbox, and save_pretrained() it.',
    );
  }
  return inputError(files.name, `has no weights: neither ${SINGLE_FILE} nor ${INDEX_FILE}`);
}

/** Where shards and index disagree. */
function checkAgainstIndex(
  files: CheckpointFiles,
  index: Map<string, string>,
  found: Map<string, string>,
): void {
  const at = place(files, INDEX_FILE);
  const absent = [...index.keys()].filter((tensor) => !found.has(tensor));
  if (absent.length > 0) throw inputError(at, `names tensors that no shard holds: ${listNames(absent)}`);
  const extra = [...found.keys()].filter((tensor) => !index.has(tensor));
  if (extra.length > 0)
    throw inputError(at, `does not name tensors that the shards hold: ${listNames(extra)}`);
  const moved = [...index].filter(([tensor, shard]) => found.get(tensor) !== shard).map(([tensor]) => tensor);
  if (moved.length > 0)
    throw inputError(at, `names another shard than the one that holds: ${listNames(moved)}`);
}

/** Opens the shards in order of their names and reads their headers. */
async function openShards(
  files: CheckpointFiles,
  shards: readonly string[],
  opened: ByteSource[],
): Promise<{ places: Map<string, Place>; shardOf: Map<string, string> }> {
  const places = new Map<string, Place>();
  const shardOf = new Map<string, string>();
  for (const shard of shards) {
    const source = await files.open(shard);
    if (!source) throw inputError(files.name, `lost its file ${describe(shard)} while it was opened`);
    opened.push(source);
    for (const entry of (await readSafetensors(source)).tensors) {
      const other = shardOf.get(entry.name);
      if (other !== undefined) {
        throw inputError(source.name, `tensor ${describe(entry.name)} is in ${describe(other)} as well`);
      }
      places.set(entry.name, { entry, source });
      shardOf.set(entry.name, shard);
    }
  }
  return { places, shardOf };
}

/**
 * The files that hold a checkpoint's weights, sorted; all are there. Opens nothing but the index.
 * @throws input error: pickles only, no weights, a malformed index, shards missing (all named at once).
 */
export async function weightFiles(files: CheckpointFiles): Promise<string[]> {
  return (await findWeights(files, await files.list())).shards;
}

async function findWeights(
  files: CheckpointFiles,
  names: readonly string[],
): Promise<{ shards: string[]; index?: Map<string, string> }> {
  if (names.includes(SINGLE_FILE)) return { shards: [SINGLE_FILE] };
  const bytes = await readSmall(files, INDEX_FILE);
  if (!bytes) throw noWeights(files, names);
  const index = readIndex(files, bytes);
  const shards = [...new Set(index.values())].sort();
  const present = new Set(names);
  const missing = shards.filter((shard) => !present.has(shard));
  if (missing.length > 0) {
    throw inputError(
      files.name,
      `misses ${missing.length} of ${shards.length} shards: ${listNames(missing)}`,
    );
  }
  return { shards, index };
}

async function openWeights(
  files: CheckpointFiles,
  names: readonly string[],
  opened: ByteSource[],
): Promise<Map<string, Place>> {
  const { shards, index } = await findWeights(files, names);
  const { places, shardOf } = await openShards(files, shards, opened);
  if (index) checkAgainstIndex(files, index, shardOf);
  return places;
}

/** A range of a tensor's bytes, in memory of its own. */
async function readRange({ entry, source }: Place, offset: number, length: number): Promise<Uint8Array> {
  checkRange({ name: `${source.name}: tensor ${describe(entry.name)}`, size: entry.bytes }, offset, length);
  const bytes = await source.read(entry.offset + offset, length);
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/**
 * Opens a checkpoint. Headers are read and checked, tensor data is not.
 * @throws input error: no config.json, no safetensors (pickles are never opened), shards missing, index and
 *   shards disagree, or any of these files malformed.
 */
export async function openCheckpoint(files: CheckpointFiles): Promise<Checkpoint> {
  const opened: ByteSource[] = [];
  const close = async () => void (await Promise.all(opened.splice(0).map((source) => source.close?.())));
  try {
    const names = await files.list();
    const config = await readConfig(files);
    const places = await openWeights(files, names, opened);
    const tensors = new Map([...places].map(([name, { entry }]) => [name, entry]));
    return {
      name: files.name,
      config,
      tensors,
      json: async (file) => {
        const bytes = await readSmall(files, file);
        return bytes && parseJson(bytes, place(files, file));
      },
      text: async (file) => {
        const bytes = await readSmall(files, file);
        return bytes && decodeUtf8(bytes, place(files, file));
      },
      bytes: (file) => readSmall(files, file),
      read: async (tensor, offset = 0, length) => {
        const found = places.get(tensor);
        if (!found) throw inputError(files.name, `has no tensor ${describe(tensor)}`);
        return readRange(found, offset, length ?? found.entry.bytes - offset);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
