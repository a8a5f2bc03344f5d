/** What a card says of the model itself: its head, the first paragraph, the format of a chat. */
import { GRADES, lossOf, smallestOf } from './losses.ts';
import { code, fence, oneLine, plain } from './markdown.ts';
import { type Kept, keyNames, keysBlock } from './notes.ts';
import { figure, formatCount, formatSize, grouped, percent, withError } from './numbers.ts';
import type { QuantSet } from './quant-set.ts';
import { type YamlValue, yamlLines } from './yaml.ts';

/** Repository ids of the hub. */
const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;

/** Ids of the hub's list of licenses; another text is a name. */
const LICENSE_ID = /^[a-z0-9][a-z0-9.+-]*$/;

/** Tags that every such set has. */
const TAGS = ['gguf', 'imatrix', 'importance matrix', 'quantized', 'bitmill'];

function tagsOf({ model, imatrix }: QuantSet): string[] {
  const own = model.tags.map(oneLine).filter((tag) => tag !== '');
  const common = TAGS.filter((tag) => imatrix !== undefined || !tag.startsWith('im'));
  const chat = model.chatExample === undefined ? [] : ['conversational'];
  return [...new Set([...common, ...own, ...chat])].filter((tag) => tag !== 'text-generation');
}

/** The license as the hub wants it: an id of its list, or `other` with a name. */
function licenseEntries({ license, licenseName, licenseLink }: QuantSet['model']) {
  const isId = license === undefined || LICENSE_ID.test(license);
  return [
    ['license', isId ? license : 'other'],
    ['license_name', licenseName ?? (isId ? undefined : license)],
    ['license_link', licenseLink],
  ] as const;
}

/** Lines of the head, without the rules around it. A key that the publisher set is theirs. */
export function headLines(set: QuantSet, kept: Kept): string[] {
  const { model } = set;
  const entries: (readonly [string, YamlValue | undefined])[] = [
    ['base_model', model.baseModel],
    ['base_model_relation', model.baseModel === undefined ? undefined : 'quantized'],
    ...licenseEntries(model),
    ['language', model.languages],
    ['pipeline_tag', 'text-generation'],
    ['library_name', 'gguf'],
    ['model_name', model.name],
    ['tags', tagsOf(set)],
  ];
  const theirs = keyNames(kept.keys);
  return [...yamlLines(entries.filter(([key]) => !theirs.has(key))), ...keysBlock(kept)];
}

/** The original, as a link where it is known to be on the hub. */
function originalText({ model }: QuantSet): string {
  const { baseModel, source, name } = model;
  if (baseModel !== undefined && REPOSITORY.test(baseModel)) {
    return `[${plain(name)}](https://huggingface.co/${baseModel})`;
  }
  return source === name ? `**${plain(name)}**` : `**${plain(name)}** (${code(source)})`;
}

/** The smallest file whose loss is hardly noticeable, in a sentence. */
function shortAdvice({ quants, model }: QuantSet): string {
  const losses = quants.flatMap((quant) => lossOf(quant) ?? []);
  const least = smallestOf(GRADES[1], losses);
  if (!least) return '';
  const { type, bytes } = least.quant;
  return ` The smallest whose loss is ${GRADES[1].name} is **${plain(type)}**: ${formatSize(bytes)}, ${percent(bytes / model.bytes)} of the original.`;
}

export function introduction(set: QuantSet): string {
  const { model, quants, imatrix, evaluation, bitmill } = set;
  const revision = model.revision === undefined ? '' : `, revision ${code(model.revision)}`;
  const facts = [
    `${formatCount(model.parameters)} parameters`,
    `${model.layers} layers`,
    `a vocabulary of ${grouped(model.vocabulary)}`,
    `trained for ${grouped(model.contextLength)} tokens`,
    `${plain(model.dtype.toUpperCase())}, ${formatSize(model.bytes)}`,
  ];
  const with_ = imatrix ? ' and an importance matrix' : '';
  const measured = evaluation
    ? `Each was compared with the original, token by token, over ${grouped(evaluation.tokens)} predictions; what it lost stands in the table.`
    : 'They were not compared with the original.';
  const count = quants.length === 1 ? 'One quant' : `${quants.length} quants`;
  return (
    `${count} of ${originalText(set)}${revision} (architecture ${code(model.architecture)}; ${facts.join('; ')}), ` +
    `made with bitmill ${plain(bitmill)}${with_}. The files run in llama.cpp and in what is built on it. ${measured}${shortAdvice(set)}`
  );
}

export function chatSection({ model }: QuantSet): string[] {
  if (model.chatExample === undefined) return [];
  return [
    '## Chat format',
    'A conversation as the template in the files renders it, control tokens and all:',
    fence(model.chatExample),
  ];
}

/** Perplexity of the original, for the table's last row. */
export function originalPerplexity({ evaluation }: QuantSet): string {
  const figures = evaluation?.figures;
  return withError(figure(figures, 'ppl'), figure(figures, 'ppl_se'), false);
}
