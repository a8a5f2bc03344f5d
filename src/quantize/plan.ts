/**
 * The plan of a quantization: every output file down to the byte offsets, before anything is read or written.
 * All that can be refused is refused here.
 */
import { BitmillError, inputError, usageError } from '../core/index.ts';
import {
  type GgufFile,
  type GgufLayout,
  type GgufTensor,
  layoutGguf,
  type Metadata,
  SPLIT_KEYS,
  shardMetadata,
  shardName,
} from '../gguf/index.ts';
import { checkAgainstModel } from '../imatrix/index.ts';
import { checkModel } from '../models/index.ts';
import { canEncode, FORMATS, type FormatName, formatBytes } from '../quants/index.ts';
import { checkOverrides, chooseFormats, modelFacts, sortTensors, type TensorChoice } from './formats.ts';
import { outputMetadata } from './metadata.ts';
import { baseType, type Mixture, mixtureName, type QuantizeOptions } from './options.ts';
import { FILE_TYPE_NAMES, needsImportance } from './recipes/index.ts';

export interface PlannedTensor {
  readonly source: GgufTensor;
  readonly format: FormatName;
  /** Whether its columns are weighted by the importance matrix. */
  readonly weighted: boolean;
  /** Absolute byte offset in the output file. */
  readonly offset: number;
  readonly bytes: number;
}

/** One output file: a whole model, or a shard of one. */
export interface PlannedFile {
  /** File name, without a folder. */
  readonly name: string;
  /** Name of the mixture. */
  readonly type: string;
  readonly layout: GgufLayout;
  readonly tensors: readonly PlannedTensor[];
}

export interface Plan {
  readonly model: GgufFile;
  readonly options: QuantizeOptions;
  readonly files: readonly PlannedFile[];
  /** What the user should know: fallbacks, tensors without importance. */
  readonly notes: readonly string[];
}

interface Chosen {
  readonly tensor: GgufTensor;
  readonly choice: TensorChoice;
}

function some(names: readonly string[], most = 3): string {
  return names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** Throws unless every tensor can be had in the format chosen for it. */
function refuse(file: GgufFile, mixture: Mixture, chosen: readonly Chosen[], options: QuantizeOptions): void {
  const name = mixtureName(mixture);
  for (const { tensor, choice } of chosen) {
    if (choice.format === tensor.format.name) continue;
    if (!canEncode(FORMATS[choice.format])) {
      throw usageError(
        `${name}: ${tensor.name} would be ${choice.format}, which bitmill can read but not make`,
      );
    }
    if (tensor.format.kind === 'quantized' && !options.allowRequantize) {
      throw inputError(
        file.name,
        `is quantized already (${tensor.name} is ${tensor.format.name}); quantizing twice adds up the losses`,
        'start from the F32, F16 or BF16 model, or say --allow-requantize',
      );
    }
  }
}

/** Throws if tensors would get formats that are garbage without an importance that is not there. */
function requireImportance(
  mixtures: readonly (readonly [Mixture, readonly Chosen[]])[],
  options: QuantizeOptions,
): void {
  const lacking = (mixture: Mixture, chosen: readonly Chosen[]) =>
    chosen.filter(
      ({ tensor, choice }) =>
        choice.format !== tensor.format.name &&
        needsImportance(options.recipes, tensor.name, choice.format, baseType(mixture)) &&
        !options.imatrix?.entries.has(tensor.name),
    );
  const refused = mixtures.filter(([mixture, chosen]) => lacking(mixture, chosen).length > 0);
  if (refused.length === 0) return;
  const [[mixture, chosen]] = refused;
  const [first] = lacking(mixture, chosen);
  const names = refused.map(([one]) => mixtureName(one));
  if (options.imatrix) {
    const tensors = lacking(mixture, chosen).map(({ tensor }) => tensor.name);
    throw inputError(
      options.imatrix.name,
      `has no entry for ${some(tensors)}, which ${mixtureName(mixture)} needs (${first.choice.format} without importance is garbage)`,
    );
  }
  const fine = mixtures.map(([one]) => mixtureName(one)).filter((name) => !names.includes(name));
  throw usageError(
    `${names.join(', ')}: needs an importance matrix; without one ${first.choice.format} (as in ${first.tensor.name}) is garbage`,
    `pass --imatrix FILE (bitmill imatrix makes one from a calibration text)${fine.length > 0 ? `, or ask only for --types ${fine.join(',')}` : ''}`,
  );
}

/** Notes on one mixture: shape fallbacks, grouped by what became of what. */
function fallbackNotes(mixture: Mixture, chosen: readonly Chosen[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { tensor, choice } of chosen) {
    if (!choice.instead) continue;
    const key = `${choice.format} instead of ${choice.instead}`;
    groups.set(key, [...(groups.get(key) ?? []), `${tensor.name} (rows of ${tensor.shape[0]})`]);
  }
  return [...groups].map(
    ([what, names]) => `${mixtureName(mixture)}: ${what} where rows are not whole blocks: ${some(names, 2)}`,
  );
}

/** Block matrices that an importance matrix leaves out. */
function importanceNotes(tensors: readonly Chosen[], options: QuantizeOptions): string[] {
  const { imatrix } = options;
  if (!imatrix) return [];
  const without = tensors
    .filter(({ tensor: { name }, choice }) => {
      const inBlock = name.startsWith('blk.') && FORMATS[choice.format].kind === 'quantized';
      return inBlock && !imatrix.entries.has(name);
    })
    .map(({ tensor }) => tensor.name);
  const unused = [...imatrix.entries].filter(([, { counts }]) => counts.some((count) => count === 0));
  return [
    ...(without.length > 0
      ? [`${imatrix.name} has no entry for ${some(without)}: their columns weigh the same`]
      : []),
    ...unused.map(([name, { counts }]) => {
      const zero = counts.filter((count) => count === 0).length;
      return `${imatrix.name}: ${zero} of ${counts.length} experts of ${name} saw no token: their columns weigh the same`;
    }),
  ];
}

/** Bytes of a tensor in a format. */
function sizeIn(format: FormatName, tensor: GgufTensor): number {
  return formatBytes(FORMATS[format], tensor.weights);
}

/** Tensors in groups of at most `limit` bytes of data, in order; at least one each. */
function groupBySize(chosen: readonly Chosen[], limit: number): Chosen[][] {
  const groups: Chosen[][] = [[]];
  let size = 0;
  for (const one of chosen) {
    const bytes = sizeIn(one.choice.format, one.tensor);
    if (size + bytes > limit && groups[groups.length - 1].length > 0) {
      groups.push([]);
      size = 0;
    }
    groups[groups.length - 1].push(one);
    size += bytes;
  }
  return groups;
}

function planFile(
  model: GgufFile,
  name: string,
  mixture: Mixture,
  metadata: Metadata,
  chosen: readonly Chosen[],
  options: QuantizeOptions,
): PlannedFile {
  const specs = chosen.map(({ tensor, choice }) => ({
    name: tensor.name,
    format: FORMATS[choice.format],
    shape: tensor.shape,
  }));
  const alignment = metadata.has('general.alignment') ? {} : { alignment: model.alignment };
  const layout = layoutGguf({ metadata, tensors: specs, ...alignment });
  const tensors = chosen.map(({ tensor, choice }, i) => ({
    source: tensor,
    format: choice.format,
    weighted: choice.format !== tensor.format.name && (options.imatrix?.entries.has(tensor.name) ?? false),
    offset: layout.offsets[i],
    bytes: sizeIn(choice.format, tensor),
  }));
  return { name, type: mixtureName(mixture), layout, tensors };
}

/** The file of a mixture, or its shards. */
function planFiles(
  model: GgufFile,
  mixture: Mixture,
  chosen: readonly Chosen[],
  options: QuantizeOptions,
): PlannedFile[] {
  const metadata = outputMetadata(model, mixture, options);
  const prefix = `${options.model}-${mixtureName(mixture)}`;
  const groups = options.shardBytes === undefined ? [chosen] : groupBySize(chosen, options.shardBytes);
  if (groups.length === 1) return [planFile(model, `${prefix}.gguf`, mixture, metadata, chosen, options)];
  return groups.map((group, index) => {
    const keys = shardMetadata(metadata, index, groups.length, chosen.length);
    return planFile(model, shardName(prefix, index, groups.length), mixture, keys, group, options);
  });
}

/** Metadata that says how the file itself is laid out. */
const LAYOUT_KEYS: readonly string[] = ['general.alignment', ...Object.values(SPLIT_KEYS)];

/** Throws if set metadata would contradict the file it is in. */
function checkMetadata(model: GgufFile, { overrides }: QuantizeOptions): void {
  const layout = LAYOUT_KEYS.find((key) => overrides?.has(key));
  if (layout) throw usageError(`--override-kv: ${layout} follows from the file and cannot be set`);
  const [was, wanted] = [model.metadata, overrides].map((keys) => keys?.get('general.architecture'));
  if (wanted && wanted.type !== was?.type)
    throw usageError(
      `--override-kv: general.architecture is a ${was?.type ?? 'string'}, not a ${wanted.type}`,
    );
}

/**
 * Plans all outputs of a quantization.
 * @throws usage error: overrides that match nothing, types that need an importance matrix.
 * @throws input error: a file that is no model, a quantized model, an importance matrix that does not fit.
 */
export function planQuantization(model: GgufFile, options: QuantizeOptions): Plan {
  if (model.tensors.length === 0) throw inputError(model.name, 'has no tensors');
  checkModel(model);
  if (options.mixtures.length === 0)
    throw usageError('no file type named', `known: ${FILE_TYPE_NAMES.join(', ')}`);
  const names = options.mixtures.map(mixtureName);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw usageError(`${twice} is asked for twice`);
  checkOverrides(model.tensors, options);
  checkMetadata(model, options);
  if (options.imatrix) checkAgainstModel(options.imatrix, model.tensors);
  const facts = modelFacts(model);
  const sorted = sortTensors(model.tensors);
  const mixtures = options.mixtures.map((mixture): readonly [Mixture, readonly Chosen[]] => {
    const formats = chooseFormats(mixture, facts, sorted, options);
    const chosen = sorted.map((tensor) => {
      const choice = formats.get(tensor.name);
      if (!choice) throw new BitmillError('failure', `no format was chosen for ${tensor.name}`);
      return { tensor, choice };
    });
    return [mixture, chosen];
  });
  requireImportance(mixtures, options);
  for (const [mixture, chosen] of mixtures) refuse(model, mixture, chosen, options);
  return {
    model,
    options,
    files: mixtures.flatMap(([mixture, chosen]) => planFiles(model, mixture, chosen, options)),
    notes: [
      ...mixtures.flatMap(([mixture, chosen]) => fallbackNotes(mixture, chosen)),
      ...importanceNotes(mixtures[0][1], options),
    ],
  };
}

/** Bits a weight over the files of a mixture, tensor data only. */
export function bitsPerWeight(files: readonly PlannedFile[]): number {
  const tensors = files.flatMap((file) => file.tensors);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return (8 * bytes) / tensors.reduce((sum, tensor) => sum + tensor.source.weights, 0);
}
