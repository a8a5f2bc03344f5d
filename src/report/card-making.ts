/** What a card says of the work: inputs with their hashes, settings, commands, how to check it, what the numbers mean. */
import { code, fence, markdownTable, oneLine, plain } from './markdown.ts';
import { formatSize, grouped } from './numbers.ts';
import type { QuantSet, SetFile } from './quant-set.ts';

function list(items: readonly (string | undefined)[]): string {
  return items.flatMap((item) => (item === undefined ? [] : `- ${item}`)).join('\n');
}

/** `of each at most so many chunks of so many tokens`. */
function chunksText({ chunks, contextSize }: { chunks: number; contextSize: number }): string {
  return `${grouped(chunks)} ${chunks === 1 ? 'chunk' : 'chunks'} of ${grouped(contextSize)} tokens`;
}

const special = (parse: boolean): string =>
  parse ? 'control tokens in the text were read as such' : 'control tokens in the text were read as text';

function settings(set: QuantSet): string {
  const { imatrix, evaluation, recipes, effort, sampledRows, bitmill } = set;
  const sampled =
    sampledRows === undefined ? '' : ` (errors of tensors estimated on at most ${grouped(sampledRows)} rows)`;
  return list([
    `bitmill ${plain(bitmill)}; recipes ${code(recipes)}, effort ${code(effort)}${sampled}`,
    imatrix &&
      `importance matrix ${code(imatrix.file.name)}: ${chunksText(imatrix)}, ${grouped(imatrix.tokens)} in all; ${special(imatrix.parseSpecial)}`,
    evaluation &&
      `measured on ${code(evaluation.text)}: ${chunksText(evaluation)}, ${grouped(evaluation.tokens)} predictions scored in their second halves; ${special(evaluation.parseSpecial)}`,
  ]);
}

function inputTable({ inputs }: QuantSet): string[] {
  if (inputs.length === 0) return [];
  const rows = inputs.map(({ role, name, bytes, sha256 }) => [
    role,
    code(name),
    formatSize(bytes),
    code(sha256),
  ]);
  return [markdownTable([['input', 'name', 'size', 'SHA-256'], ...rows], [2])];
}

export function madeSection(set: QuantSet): string[] {
  const commands =
    set.commands.length === 0
      ? []
      : ['The same set again, step by step:', fence(set.commands.join('\n'), 'sh')];
  return ['## How it was made', settings(set), ...inputTable(set), ...commands];
}

/** Every file of the set: the quants, the original, the importance matrix. */
export function filesOf({ quants, model, imatrix }: QuantSet): SetFile[] {
  return [...quants.flatMap(({ files }) => files), ...model.files, ...(imatrix ? [imatrix.file] : [])];
}

export function verifySection(set: QuantSet): string[] {
  const files = filesOf(set);
  const lines = files.map(({ sha256, name }) => `${sha256}  ${oneLine(name)}`);
  return [
    '## Checking the files',
    'Sizes, hashes and every measured number stand in [bitmill.json](bitmill.json). To check a download, save these lines as ' +
      '`SHA256SUMS` beside the files and run `sha256sum -c --ignore-missing SHA256SUMS`:',
    `<details><summary>SHA-256 of ${files.length} files</summary>\n\n${fence(lines.join('\n'))}\n\n</details>`,
  ];
}

/** What the numbers are, and what they are not. */
const METHOD = [
  '**Perplexity** is e to the mean negative logarithm of the probability of each next token of the text; 1 would be certainty. ' +
    'All files see the same tokens, so they can be compared far more closely than the ± of each says; that ± is mostly of the text.',
  '**KLD** compares the whole distribution over the next token with that of the original, so it sees losses that perplexity ' +
    'averages out. Its ± takes tokens as independent.',
  '**Precision**: products with quantized weights were computed with activations of 12 bits and more, so the divergence is that of ' +
    'the weights. Programs that round activations to 8 bits add a little of their own.',
  '**Not comparable**: perplexity and KLD depend on tokenizer and text. Compare files of this card with each other, not with ' +
    'figures measured on something else.',
];

export function methodSection(set: QuantSet): string[] {
  if (!set.evaluation) return [];
  return ['## What the numbers mean', list(METHOD)];
}
