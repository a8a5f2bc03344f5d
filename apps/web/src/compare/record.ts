/** A comparison to keep: JSON with everything, Markdown to read, a conversation whose two answers are branches. */
import type { Message, Parameters } from '../provider.ts';
import { type Conversation, EMPTY_SETUP, titleOf } from '../state/conversation.ts';
import { type Answer, EMPTY_TREE, type Question, type Tree, withTurn } from '../state/tree.ts';
import { type Comparison, percent, visible } from './comparison.ts';
import { type Pair, type Side, speedOf } from './run.ts';

/** The form of the JSON; a number more for each change that readers must know of. */
const VERSION = 1;

const NAMES = ['A', 'B'] as const;

interface KeptSide {
  readonly model: string;
  readonly fileType: string | undefined;
  readonly bytes: number | undefined;
  readonly parameters: Parameters;
  readonly text: string;
  readonly reason: string | undefined;
  readonly tokensPerSecond: number | undefined;
  readonly tokens: Side['tokens'];
}

export interface ComparisonRecord {
  readonly bitmill: 'comparison';
  readonly version: number;
  /** ISO 8601. */
  readonly created: string;
  readonly messages: readonly Message[];
  readonly sides: Pair<KeptSide>;
  /** What `firstDifference` and `equal` count. */
  readonly unit: Comparison['kind'];
  readonly firstDifference: number | undefined;
  readonly equal: number;
  readonly share: number;
}

function kept(side: Side): KeptSide {
  const { model, parameters } = side.contender;
  return {
    model: model.id,
    fileType: model.fileType,
    bytes: model.bytes,
    parameters,
    text: side.text,
    reason: side.end?.reason ?? side.failure,
    tokensPerSecond: speedOf(side),
    tokens: side.tokens,
  };
}

export function recordOf(
  messages: readonly Message[],
  sides: Pair<Side>,
  { kind, agreement }: Comparison,
  now = new Date(),
): ComparisonRecord {
  return {
    bitmill: 'comparison',
    version: VERSION,
    created: now.toISOString(),
    messages,
    sides: [kept(sides[0]), kept(sides[1])],
    unit: kind,
    ...agreement,
  };
}

/** A cell of a Markdown table: one line, its bars harmless. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', '↵');

/** Figures, then both answers run by run, `≠` where they differ. */
export function markdownOf(record: ComparisonRecord, { units, segments }: Comparison): string {
  const { sides, messages } = record;
  const row = (name: string, value: (side: KeptSide) => string) =>
    `| ${name} | ${cell(value(sides[0]))} | ${cell(value(sides[1]))} |`;
  const part = (side: 0 | 1, from: number, to: number) =>
    cell(
      units[side]
        .slice(from, to)
        .map(({ text }) => text)
        .join(''),
    );
  const { firstDifference } = record;
  return [
    '# Comparison',
    '',
    ...messages.flatMap(({ role, content }) => [`**${role}**`, '', content, '']),
    `| | ${NAMES.join(' | ')} |`,
    '| --- | --- | --- |',
    row('model', ({ model }) => model),
    row('quantization', ({ fileType = '' }) => fileType),
    row('parameters', ({ parameters }) => JSON.stringify(parameters)),
    row('tokens', ({ tokens }) => String(tokens.length)),
    row('tokens/s', ({ tokensPerSecond }) => tokensPerSecond?.toFixed(1) ?? ''),
    '',
    firstDifference === undefined
      ? `No difference in ${record.equal} ${record.unit}s.`
      : `First difference at ${record.unit} ${firstDifference + 1}; ${percent(Math.log(record.share))} of the ${record.unit}s are equal.`,
    '',
    '| | A | B |',
    '| --- | --- | --- |',
    ...segments.map(
      ({ kind, a, b }) =>
        `| ${kind === 'equal' ? '=' : '≠'} | ${part(0, a.from, a.to)} | ${part(1, b.from, b.to)} |`,
    ),
    '',
  ].join('\n');
}

/** A conversation with the question and both answers as branches below it, that of A in front. */
export function conversationOf(record: ComparisonRecord, id: string, now: number): Conversation {
  const question = record.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const system = record.messages.find(({ role }) => role === 'system')?.content ?? '';
  const asked: Question = { id: `${id}-q`, parent: '', role: 'user', content: question, created: now };
  const answers = record.sides.map(
    ({ model, text, tokens }, i): Answer => ({
      id: `${id}-${NAMES[i]}`,
      parent: asked.id,
      role: 'assistant',
      content: text,
      created: now + 1 + i,
      facts: { state: 'stop', model, completionTokens: tokens.length },
    }),
  );
  const whole = answers.reduce<Tree>(withTurn, withTurn(EMPTY_TREE, asked));
  const { model, parameters } = record.sides[0];
  return {
    id,
    title: titleOf(question),
    created: now,
    updated: now,
    setup: { ...EMPTY_SETUP, model, system, parameters },
    tree: { ...whole, chosen: { ...whole.chosen, [asked.id]: `${id}-A` } },
  };
}

/** A name for a file of the record. */
export const fileNameOf = ({ sides, created }: ComparisonRecord, extension: string): string =>
  `${sides.map(({ model }) => visible(model).replace(/[^\w.-]+/g, '-')).join('-vs-')}-${created.slice(0, 10)}.${extension}`;
