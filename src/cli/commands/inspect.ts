/** `bitmill inspect`: what is in a GGUF file, on disk or on the web, from its header alone. */
import type { Command } from 'commander';
import { type GgufFile, quoted } from '../../gguf/index.ts';
import { withGguf } from '../gguf.ts';
import { formatSize, printJson, table } from '../terminal.ts';
import { valueJson, valueText } from '../values.ts';

interface InspectOptions {
  readonly json?: boolean;
  readonly tensors?: boolean;
  readonly metadata?: boolean;
}

interface FormatShare {
  readonly format: string;
  readonly tensors: number;
  readonly weights: number;
  readonly bytes: number;
}

/** Tensors, weights and bytes by format, the largest first. */
function sharesOf(file: GgufFile): FormatShare[] {
  const shares = new Map<string, FormatShare>();
  for (const { format, weights, bytes } of file.tensors) {
    const share = shares.get(format.name) ?? { format: format.name, tensors: 0, weights: 0, bytes: 0 };
    shares.set(format.name, {
      format: format.name,
      tensors: share.tensors + 1,
      weights: share.weights + weights,
      bytes: share.bytes + bytes,
    });
  }
  return [...shares.values()].sort((a, b) => b.bytes - a.bytes);
}

function totalsOf(shares: readonly FormatShare[]): Omit<FormatShare, 'format'> {
  const sum = (pick: (share: FormatShare) => number) =>
    shares.reduce((total, share) => total + pick(share), 0);
  return { tensors: sum((s) => s.tensors), weights: sum((s) => s.weights), bytes: sum((s) => s.bytes) };
}

/** 0 for no weights. */
function bitsPerWeight({ weights, bytes }: { weights: number; bytes: number }): number {
  return weights === 0 ? 0 : (8 * bytes) / weights;
}

function headerText(file: GgufFile): string {
  const totals = totalsOf(sharesOf(file));
  const order = file.littleEndian ? 'little-endian' : 'big-endian';
  const rows = [
    ['file', file.name],
    ['version', `${file.version}, ${order}, alignment ${file.alignment}`],
    ['size', `${formatSize(file.size)} (${file.size} bytes)`],
    ...(file.shards.length > 1 ? [['shards', String(file.shards.length)]] : []),
    ['metadata', `${file.metadata.size} keys`],
    [
      'tensors',
      `${totals.tensors}, ${totals.weights} weights, ${bitsPerWeight(totals).toFixed(3)} bits a weight`,
    ],
  ];
  return table(rows);
}

function metadataText(file: GgufFile, full: boolean): string {
  if (file.metadata.size === 0) return 'no metadata';
  const rows = [...file.metadata].map(([key, value]) => [
    quoted(key).slice(1, -1),
    value.type,
    valueText(value, full),
  ]);
  return table(rows);
}

function sharesText(file: GgufFile): string {
  const shares = sharesOf(file);
  const { bytes: all } = totalsOf(shares);
  const rows = shares.map((share) => [
    share.format,
    String(share.tensors),
    String(share.weights),
    formatSize(share.bytes),
    `${((100 * share.bytes) / all).toFixed(1)} %`,
    bitsPerWeight(share).toFixed(3),
  ]);
  return table([['format', 'tensors', 'weights', 'size', 'share', 'bits/weight'], ...rows], [1, 2, 3, 4, 5]);
}

function tensorsText(file: GgufFile): string {
  const rows = file.tensors.map(({ name, shape, format, bytes, offset, shard }) => [
    quoted(name).slice(1, -1),
    shape.join(' x '),
    format.name,
    formatSize(bytes),
    file.shards.length > 1 ? `${shard + 1}:${offset}` : String(offset),
  ]);
  return table([['tensor', 'shape', 'format', 'size', 'offset'], ...rows], [3, 4]);
}

function inspectText(file: GgufFile, { tensors, metadata }: InspectOptions): string {
  const all = !tensors && !metadata;
  const sections = [
    ...(all ? [headerText(file)] : []),
    ...(all || metadata ? [metadataText(file, metadata === true)] : []),
    ...(all && file.tensors.length > 0 ? [sharesText(file)] : []),
    ...((all || tensors) && file.tensors.length > 0 ? [tensorsText(file)] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

function inspectJson(file: GgufFile, { tensors, metadata }: InspectOptions): unknown {
  const all = !tensors && !metadata;
  const shares = sharesOf(file);
  const totals = totalsOf(shares);
  return {
    file: file.name,
    version: file.version,
    little_endian: file.littleEndian,
    alignment: file.alignment,
    size: file.size,
    shards: file.shards,
    weights: totals.weights,
    bits_per_weight: bitsPerWeight(totals),
    formats: shares.map((share) => ({ ...share, bits_per_weight: bitsPerWeight(share) })),
    ...(all || metadata
      ? {
          metadata: Object.fromEntries(
            [...file.metadata].map(([key, value]) => [key, valueJson(value, metadata)]),
          ),
        }
      : {}),
    ...(all || tensors
      ? {
          tensors: file.tensors.map(({ name, shape, format, weights, bytes, offset, shard }) => ({
            name,
            shape,
            format: format.name,
            weights,
            bytes,
            offset,
            shard,
          })),
        }
      : {}),
  };
}

export function defineInspect(command: Command): void {
  command
    .name('inspect')
    .description('show what is in a GGUF file: header, metadata, tensors, bits per weight')
    .argument(
      '<file>',
      'GGUF file, any one of its shards, or an http(s) address (only the header is fetched)',
    )
    .option('--metadata', 'only the metadata, nothing shortened')
    .option('--tensors', 'only the tensors')
    .option('--json', 'print JSON')
    .action(async (name: string, options: InspectOptions) => {
      await withGguf(name, async (file) => {
        if (options.json) printJson(inspectJson(file, options));
        else process.stdout.write(inspectText(file, options));
      });
    });
}
