/** What a card says of the files: the table, losses in words, which to take for a memory, how to run it. */
import { assumptions, type Choice, memoryLadder } from './advice.ts';
import { originalPerplexity } from './card-model.ts';
import {
  beatenBy,
  GRADES,
  gradeOf,
  type Loss,
  largestKld,
  lossOf,
  ODDS,
  paretoFront,
  smallestOf,
} from './losses.ts';
import { code, fence, fileTarget, markdownTable, plain, shellWord } from './markdown.ts';
import { type Figures, figure, formatSize, grouped, percent, short, withError } from './numbers.ts';
import type { ExamScore, QuantEntry, QuantSet } from './quant-set.ts';

/** Everything that was measured, by quant. */
function lossesOf({ quants }: QuantSet): Loss[] {
  return quants.flatMap((quant) => lossOf(quant) ?? []);
}

/** A type as a link to its (first) file. */
function link(label: string, { files }: Pick<QuantEntry, 'files'>): string {
  return `[${plain(label)}](${fileTarget(files[0].name)})`;
}

/** What the columns are made from: a quant, or the original. */
interface Row {
  readonly label: string;
  readonly bytes: number;
  readonly bitsPerWeight: number;
  readonly figures: Figures | undefined;
  readonly perplexity: string;
  readonly exam: ExamScore | undefined;
  readonly words: string;
}

interface Column {
  readonly title: string;
  readonly cell: (row: Row) => string;
}

function optional(value: number | undefined, show: (value: number) => string): string {
  return value === undefined ? '' : show(value);
}

/** A figure stays on one line. */
function unbroken(text: string): string {
  return text.replace(/ /g, '&nbsp;');
}

function columnsOf(set: QuantSet): Column[] {
  const all: Column[] = [
    { title: 'type', cell: ({ label }) => label },
    { title: 'size', cell: ({ bytes }) => unbroken(formatSize(bytes)) },
    { title: 'of original', cell: ({ bytes }) => unbroken(percent(bytes / set.model.bytes)) },
    { title: 'bits / weight', cell: ({ bitsPerWeight }) => bitsPerWeight.toFixed(2) },
    { title: 'perplexity', cell: ({ perplexity }) => unbroken(perplexity) },
    {
      title: 'mean KLD',
      cell: ({ figures }) => unbroken(withError(figure(figures, 'kld_mean'), figure(figures, 'kld_mean_se'))),
    },
    { title: 'KLD 99.9&nbsp;%', cell: ({ figures }) => optional(figure(figures, 'kld_p999'), short) },
    { title: 'same top', cell: ({ figures }) => unbroken(optional(figure(figures, 'same_top'), percent)) },
    {
      title: 'exam',
      cell: ({ exam }) => (exam ? unbroken(percent(exam.right / Math.max(1, exam.total))) : ''),
    },
    { title: 'loss in words', cell: ({ words }) => words },
  ];
  const rows = rowsOf(set);
  return all.filter(({ cell }) => rows.some((row) => cell(row) !== ''));
}

function wordsOf(loss: Loss | undefined, losses: readonly Loss[]): string {
  if (!loss) return '';
  const better = beatenBy(loss, losses);
  const beaten = better ? `; ${plain(better.quant.type)} is smaller and closer` : '';
  return `${unbroken(gradeOf(loss).name)}${beaten}`;
}

function rowsOf(set: QuantSet): Row[] {
  const losses = lossesOf(set);
  const front = new Set(paretoFront(losses).map(({ quant }) => quant));
  const quants = set.quants.map((quant): Row => {
    const { bytes, bitsPerWeight, figures, exam } = quant;
    const name = link(quant.type, quant);
    return {
      label: front.has(quant) ? `**${name}**` : name,
      bytes,
      bitsPerWeight,
      figures,
      exam,
      perplexity: withError(figure(figures, 'ppl'), figure(figures, 'ppl_se'), 2),
      words: wordsOf(lossOf(quant), losses),
    };
  });
  const { model, evaluation } = set;
  return [
    ...quants,
    {
      label: link(model.dtype.toUpperCase(), model),
      bytes: model.bytes,
      bitsPerWeight: model.bitsPerWeight,
      figures: undefined,
      exam: evaluation?.exam,
      perplexity: originalPerplexity(set),
      words: 'the original',
    },
  ];
}

/** How many lie on the front, and what the marks mean. */
function tableLegend(set: QuantSet): string {
  const losses = lossesOf(set);
  if (losses.length === 0) return 'Losses were not measured.';
  const front = paretoFront(losses);
  const exam = set.evaluation?.exam;
  const parts = [
    `**Bold**: no other file is both smaller and closer to the original (${front.length} of ${losses.length}).`,
    'KLD: Kullback-Leibler divergence from the original, in nats a token: 0 is no loss. KLD 99.9&nbsp;%: one token in a thousand is worse.',
    'Same top: how often both find the same next token most likely.',
    ...(exam ? [`Exam: right answers to ${grouped(exam.total)} questions.`] : []),
    '±: one standard error.',
  ];
  return parts.join(' ');
}

export function quantSection(set: QuantSet): string[] {
  const columns = columnsOf(set);
  const rows = rowsOf(set).map((row) => columns.map(({ cell }) => cell(row)));
  const right = columns.flatMap(({ title }, i) => (title === 'type' || title.includes('words') ? [] : [i]));
  return ['## Files', markdownTable([columns.map(({ title }) => title), ...rows], right), tableLegend(set)];
}

/** The words with their limits, and the smallest file that earns each. */
export function wordsSection(set: QuantSet): string[] {
  const losses = lossesOf(set);
  if (losses.length === 0) return [];
  const rows = GRADES.map((grade, i) => {
    const above = GRADES[i + 1];
    const tokens = above ? `${grouped(grade.tokens)} or more` : `fewer than ${GRADES[i - 1].tokens}`;
    const limits = above ? [short(largestKld(grade)), percent(grade.sameTop)] : ['', ''];
    const here = losses.filter((loss) => gradeOf(loss) === grade).length;
    const least = above ? smallestOf(grade, losses) : undefined;
    const from = least ? `${link(least.quant.type, least.quant)} (${formatSize(least.quant.bytes)})` : '';
    return [grade.name, tokens, ...limits, String(here), from];
  });
  const head = ['word', 'tokens until it shows', 'mean KLD at most', 'same top at least', 'files'];
  return [
    '### The words',
    `They follow from what was measured. If text is written by the original, each token tells one who knows both models, on ` +
      `average, as much as the mean KLD which of the two wrote it; odds of ${ODDS} to 1 are reached after ` +
      `ln(${ODDS}) / KLD tokens. The share of equal first choices has a limit, too; the worse of the two decides.`,
    markdownTable([[...head, 'smallest that is at least so good'], ...rows], [1, 2, 3, 4]),
  ];
}

function choiceCells({ quant, needs }: Choice, set: QuantSet): string[] {
  if (!quant)
    return [link(set.model.dtype.toUpperCase(), set.model), formatSize(needs), 'none: the original'];
  const loss = lossOf(quant);
  return [link(quant.type, quant), formatSize(needs), loss ? gradeOf(loss).name : ''];
}

/** What is counted, in a sentence. */
function assumed(set: QuantSet): string {
  const given = assumptions(set);
  const cache =
    given.cacheBytes === undefined
      ? 'the cache of keys and values is **not** counted, because the set does not say how large it is'
      : `${formatSize(given.cacheBytes)} for keys and values of a context of ${grouped(given.context)} tokens in f16`;
  return (
    `Counted: the file; ${cache}; ${formatSize(given.logitsBytes)} for the logits of a batch of ${given.batch} tokens; ` +
    `${percent(given.slack)} of the file for other buffers. Not counted: the program itself and the system.`
  );
}

export function adviceSection(set: QuantSet): string[] {
  const ladder = memoryLadder(set);
  if (ladder.length === 0) return [];
  const rows = ladder.map(({ memory, choice }) => {
    const [name, needs, words] = choiceCells(choice, set);
    return [formatSize(memory).replace(/\.0+ /, ' '), name, needs, words];
  });
  const by = lossesOf(set).length > 0 ? 'the smallest mean KLD' : 'the most bits';
  return [
    '## Which one for how much memory',
    `Of the files that fit, the one with ${by}. A usual size of memory that is left out gets the file of the row above.`,
    markdownTable([['free memory', 'take', 'needs', 'loss'], ...rows], [0, 2]),
    assumed(set),
  ];
}

/** A file to show commands with: the smallest whose loss is hardly noticeable, else the closest. */
function exampleOf(set: QuantSet): QuantEntry | undefined {
  const losses = lossesOf(set);
  const closest = losses.toSorted((a, b) => a.kld - b.kld)[0];
  return (smallestOf(GRADES[1], losses) ?? closest)?.quant ?? set.quants.at(-1);
}

export function runSection(set: QuantSet): string[] {
  const quant = exampleOf(set);
  if (!quant) return [];
  const file = shellWord(quant.files[0].name);
  const { context } = assumptions(set);
  const [theirs, ours] =
    set.model.chatExample === undefined
      ? [" -no-cnv -p 'Once upon a time'", `run -m ${file} --raw -p 'Once upon a time'`]
      : ['', `chat -m ${file}`];
  const shards = quant.files.length > 1 ? ' (in shards: name the first, all must lie in one folder)' : '';
  return [
    '## Running it',
    `With ${code(quant.files[0].name)}${shards}:`,
    fence(
      [
        '# llama.cpp',
        `llama-cli -m ${file} -c ${context}${theirs}`,
        '',
        '# bitmill; its tokens a second on this machine; its perplexity on a text of yours',
        `bitmill ${ours}`,
        `bitmill bench -m ${file}`,
        `bitmill perplexity -m ${file} -f TEXT`,
      ].join('\n'),
      'sh',
    ),
  ];
}
