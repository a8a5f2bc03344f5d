/**
 * Opens a GGUF from any byte source, in one piece or in shards. Only the header is read, in pieces; tensor data
 * is read when asked for. Whatever opens here is safe to use: every declared size was checked against the file.
 */
import { BitmillError, type ByteSource, type FilePlace, inputError } from '../core/index.ts';
import { HeaderCursor } from './cursor.ts';
import { DEFAULT_LIMITS, type GgufLimits } from './limits.ts';
import { checkShards, withoutSplitKeys } from './splits.ts';
import { swapBytes } from './swap.ts';
import { LEAST_TENSOR_BYTES, readTensors } from './tensors.ts';
import { quoted } from './text.ts';
import type { GgufFile, GgufTensor, Metadata } from './types.ts';
import { LEAST_PAIR_BYTES, readAlignment, readMetadata } from './values.ts';

/** 'GGUF', read as a little-endian number. */
const MAGIC = 0x46554747;

/** One file's header. */
export interface Shard {
  readonly source: ByteSource;
  readonly version: 2 | 3;
  readonly littleEndian: boolean;
  readonly alignment: number;
  readonly metadata: Metadata;
  readonly tensors: readonly GgufTensor[];
}

/** Magic and version; learns the byte order, which shows in the version alone. */
function readStart(cursor: HeaderCursor): 2 | 3 {
  const magic = cursor.u32();
  if (magic !== MAGIC) {
    throw inputError(
      `${cursor.source.name}: header (at byte 0)`,
      `starts with 0x${magic.toString(16).padStart(8, '0')}, not with "GGUF": it is no GGUF file`,
      'a Hugging Face checkpoint must be converted first',
    );
  }
  const bytes = cursor.fixed(4, (view, at) => [view.getUint32(at, true), view.getUint32(at, false)]);
  const little = bytes[0] % 65536 !== 0;
  const version = bytes[little ? 0 : 1];
  cursor.little = little;
  if (version === 2 || version === 3) return version;
  throw cursor.fail(
    `GGUF version ${version} is not supported; versions 2 and 3 are`,
    version === 1 ? 'convert the model again with a current tool' : undefined,
  );
}

async function readShard(source: ByteSource, shard: number, limits: GgufLimits): Promise<Shard> {
  const cursor = new HeaderCursor(source, limits);
  const start = await cursor.record(() => {
    cursor.little = true;
    return {
      version: readStart(cursor),
      tensors: cursor.countOf('number of tensors', LEAST_TENSOR_BYTES, limits.tensors),
      pairs: cursor.countOf('number of metadata pairs', LEAST_PAIR_BYTES, limits.pairs),
    };
  });
  const metadata = await readMetadata(cursor, start.pairs);
  const alignment = readAlignment(cursor, metadata);
  const tensors = await readTensors(cursor, start.tensors, alignment, shard);
  if (tensors.length === 0 && cursor.remaining >= alignment) {
    cursor.place = 'end of the header';
    throw cursor.fail(`there are no tensors, but ${cursor.remaining} more bytes follow`);
  }
  return { source, version: start.version, littleEndian: cursor.little, alignment, metadata, tensors };
}

/** Tensors of all shards by name. @throws input error: a name twice. */
function indexTensors(shards: readonly Shard[]): Map<string, GgufTensor> {
  const byName = new Map<string, GgufTensor>();
  for (const { source, tensors } of shards) {
    for (const tensor of tensors) {
      if (byName.has(tensor.name)) {
        throw inputError(`${source.name}: tensor ${quoted(tensor.name)}`, 'is there twice');
      }
      byName.set(tensor.name, tensor);
    }
  }
  return byName;
}

/** Bytes of whole blocks, little-endian, in memory of their own. */
async function readData(
  shard: Shard,
  tensor: GgufTensor,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const { blockBytes } = tensor.format;
  if (
    offset % blockBytes !== 0 ||
    length % blockBytes !== 0 ||
    offset < 0 ||
    offset + length > tensor.bytes
  ) {
    throw new RangeError(
      `${tensor.name}: ${length} bytes at ${offset} are not whole blocks of ${blockBytes} bytes inside ${tensor.bytes}`,
    );
  }
  const read = await shard.source.read(tensor.offset + offset, length);
  // A source may hand out views of its own memory; a GGUF's data never fills the whole of such a memory.
  const bytes = read.byteLength === read.buffer.byteLength ? read : new Uint8Array(read);
  if (!shard.littleEndian) swapBytes(tensor.format, bytes);
  return bytes;
}

/** Of tensor data as it is, little-endian. */
function placeOf({ source, littleEndian }: Shard, { offset }: GgufTensor): FilePlace | undefined {
  return source.file && littleEndian ? { file: source.file, offset } : undefined;
}

/**
 * Opens a GGUF. Several sources are its shards in order. `close` closes the sources.
 * The metadata of a sharded file is that of the first shard, without the `split.` keys.
 * @throws input error: anything malformed, with the file and the place; the sources stay open then.
 */
export async function readGguf(
  source: ByteSource | readonly ByteSource[],
  limits: Partial<GgufLimits> = {},
): Promise<GgufFile> {
  const sources = 'read' in source ? [source] : source;
  if (sources.length === 0) throw new BitmillError('usage', 'no GGUF source was given');
  const shards: Shard[] = [];
  for (const [index, one] of sources.entries()) {
    shards.push(await readShard(one, index, { ...DEFAULT_LIMITS, ...limits }));
  }
  checkShards(shards);
  const byName = indexTensors(shards);
  const [first] = shards;
  return {
    name: first.source.name,
    version: first.version,
    littleEndian: first.littleEndian,
    alignment: first.alignment,
    size: sources.reduce((size, one) => size + one.size, 0),
    shards: sources.map((one) => one.name),
    metadata: shards.length > 1 ? withoutSplitKeys(first.metadata) : first.metadata,
    tensors: [...byName.values()],
    find: (name) => byName.get(name),
    read: (tensor, offset = 0, length = tensor.bytes - offset) =>
      readData(shards[tensor.shard], tensor, offset, length),
    place: (tensor) => placeOf(shards[tensor.shard], tensor),
    close: async () => {
      for (const one of sources) await one.close?.();
    },
  };
}
