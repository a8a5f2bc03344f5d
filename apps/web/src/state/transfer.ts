/** Conversations as files: JSON with all branches, which comes back in; Markdown of the path that is shown, to read. */
import type { Conversation } from './conversation.ts';
import { EMPTY_SETUP } from './conversation.ts';
import { pathOf, type Turn } from './tree.ts';

const FORMAT = 'bitmill-chat';
const VERSION = 1;

/** Bytes of a file and turns of a conversation that are read at most. */
export const LARGEST_FILE = 64 * 2 ** 20;
const MOST_TURNS = 100_000;

export function toJson(conversations: readonly Conversation[]): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, conversations }, null, 2)}\n`;
}

const NAMES = { user: 'You', assistant: 'Answer' } as const;

function turnMarkdown(turn: Turn): string {
  const by = turn.role === 'assistant' && turn.facts.model ? ` (${turn.facts.model})` : '';
  return `## ${NAMES[turn.role]}${by}\n\n${turn.content.trim()}\n`;
}

export function toMarkdown({ title, setup, tree }: Conversation): string {
  const system = setup.system.trim() ? [`## System prompt\n\n${setup.system.trim()}\n`] : [];
  return [`# ${title}\n`, ...system, ...pathOf(tree).map(turnMarkdown)].join('\n');
}

/** A name for a file, from a title. */
export function fileNameOf(title: string, extension: string): string {
  const plain = title
    .normalize('NFKD')
    .replace(/[^\w -]/g, '')
    .trim()
    .replace(/\s+/g, '-')
    .toLowerCase()
    .slice(0, 60);
  return `${plain || 'chat'}.${extension}`;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown, other: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : other;

/**
 * Conversations of an exported file. Ids are made new, so that an import never writes over what is there.
 * @throws Error: one sentence on what is wrong with the file.
 */
export function fromJson(text: string, newId: () => string, now: number): Conversation[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON.');
  }
  if (!isFields(file) || file['format'] !== FORMAT) {
    throw new Error('The file is no export of this chat: "format" is not "bitmill-chat".');
  }
  if (file['version'] !== VERSION) {
    throw new Error(`The file has version ${String(file['version'])}; this page reads version ${VERSION}.`);
  }
  const list = Array.isArray(file['conversations']) ? file['conversations'] : [];
  if (list.length === 0) throw new Error('The file has no conversations.');
  return list.map((one: unknown, index) => readConversation(one, index, newId, now));
}

function readConversation(value: unknown, index: number, newId: () => string, now: number): Conversation {
  const place = `conversation ${index + 1}`;
  if (!isFields(value) || !isFields(value['tree']) || !Array.isArray(value['tree']['turns'])) {
    throw new Error(`The file's ${place} has no turns.`);
  }
  const { turns, chosen } = value['tree'];
  if (turns.length > MOST_TURNS) {
    throw new Error(`The file's ${place} has ${turns.length} turns; ${MOST_TURNS} are read at most.`);
  }
  const ids = new Map<string, string>([['', '']]);
  const read = turns.map((turn: unknown, at) => readTurn(turn, `${place}, turn ${at + 1}`, ids, newId, now));
  const setup = isFields(value['setup']) ? value['setup'] : {};
  return {
    id: newId(),
    title: textOf(value['title']) || 'Imported chat',
    created: numberOf(value['created'], now),
    updated: numberOf(value['updated'], now),
    setup: {
      ...EMPTY_SETUP,
      model: textOf(setup['model']),
      system: textOf(setup['system']),
      parameters: isFields(setup['parameters']) ? setup['parameters'] : {},
    },
    tree: { turns: read, chosen: readChosen(chosen, ids) },
  };
}

/** @param ids from old ids to new ones; parents stand before their children. */
function readTurn(
  value: unknown,
  place: string,
  ids: Map<string, string>,
  newId: () => string,
  now: number,
): Turn {
  const fields = isFields(value) ? value : {};
  const parent = ids.get(textOf(fields['parent']));
  const old = textOf(fields['id']);
  if (parent === undefined)
    throw new Error(`The file's ${place} hangs on a turn that does not stand before it.`);
  if (old === '' || ids.has(old)) throw new Error(`The file's ${place} has no id of its own.`);
  const id = newId();
  ids.set(old, id);
  const notes = isFields(fields['notes']) ? { notes: fields['notes'] } : {};
  const base = {
    id,
    parent,
    content: textOf(fields['content']),
    created: numberOf(fields['created'], now),
    ...notes,
  };
  if (fields['role'] === 'user') return { ...base, role: 'user' };
  if (fields['role'] !== 'assistant') {
    throw new Error(
      `The file's ${place} has the role ${JSON.stringify(fields['role'])}; user and assistant are known.`,
    );
  }
  return { ...base, role: 'assistant', facts: readFacts(fields['facts']) };
}

const STATES = ['stop', 'length', 'aborted', 'failed', 'interrupted', 'withheld'] as const;

function readFacts(value: unknown): Extract<Turn, { role: 'assistant' }>['facts'] {
  const facts = isFields(value) ? value : {};
  const failure = isFields(facts['failure'])
    ? { failure: { message: textOf(facts['failure']['message']) } }
    : {};
  const numbers = ['promptTokens', 'completionTokens', 'waitMs', 'streamMs'].flatMap((name) =>
    typeof facts[name] === 'number' ? [[name, facts[name]]] : [],
  );
  return {
    state: STATES.find((state) => state === facts['state']) ?? 'interrupted',
    model: textOf(facts['model']),
    ...failure,
    ...Object.fromEntries(numbers),
  };
}

function readChosen(value: unknown, ids: ReadonlyMap<string, string>): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const [parent, child] of Object.entries(isFields(value) ? value : {})) {
    const [from, to] = [ids.get(parent), ids.get(textOf(child))];
    if (from !== undefined && to) chosen[from] = to;
  }
  return chosen;
}
