/** The open conversation: sending, branching, leaving while an answer comes, and nothing lost on the way. */
import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import { ProviderError } from '../provider.ts';
import { type Script, scriptedProvider } from '../testing/scripted.ts';
import { Chat } from './chat.ts';
import { EMPTY_SETUP } from './conversation.ts';
import { memoryStore, type Store } from './store.ts';

function open(scripts: readonly Script[], store: Store = memoryStore()) {
  const problems: string[] = [];
  const provider = scriptedProvider(scripts);
  const lastSetup = signal({ ...EMPTY_SETUP, model: 'tiny' });
  const chat = new Chat({
    store,
    provider: signal(provider),
    extensions: [],
    lastSetup,
    onSaved: () => undefined,
    onProblem: (message) => void problems.push(message),
    onAnswered: () => undefined,
  });
  return { chat, store, provider, problems, lastSetup };
}

const shown = (chat: Chat) => chat.path.value.map(({ content }) => content);

/** A piece that comes when the test says so. */
function held() {
  let release: (text: string) => void = () => undefined;
  const piece = new Promise<string>((resolve) => {
    release = resolve;
  });
  return { piece, release };
}

test('a first question makes a conversation, which is kept', async () => {
  const { chat, store } = open([{ pieces: ['Hello'] }]);
  await chat.send('Hi there\nyou');
  expect(shown(chat)).toEqual(['Hi there\nyou', 'Hello']);
  expect((await store.list()).map(({ title }) => title)).toEqual(['Hi there']);
  expect((await store.load(chat.id.value))?.tree).toEqual(chat.conversation.value?.tree);
});

test('another answer and another wording are branches', async () => {
  const { chat, provider } = open([{ pieces: ['One'] }, { pieces: ['Two'] }, { pieces: ['Three'] }]);
  await chat.send('Hi');
  const [question, first] = chat.path.value;
  await chat.retry(first.id);
  expect(shown(chat)).toEqual(['Hi', 'Two']);
  await chat.edit(question.id, 'Hello');
  expect(shown(chat)).toEqual(['Hello', 'Three']);
  expect(provider.requests[2].messages).toEqual([{ role: 'user', content: 'Hello' }]);
  chat.switchTo(question.id);
  expect(shown(chat)).toEqual(['Hi', 'Two']);
  chat.switchTo(first.id);
  expect(shown(chat)).toEqual(['Hi', 'One']);
});

test('a failed answer that came to nothing makes way for the next; one with text stays', async () => {
  const failure = new ProviderError('Busy.', 429);
  const { chat } = open([{ pieces: [], failure }, { pieces: ['Half'], failure }, { pieces: ['Whole'] }]);
  await chat.send('Hi');
  await chat.retry(chat.path.value[1].id);
  expect(shown(chat)).toEqual(['Hi', 'Half']);
  await chat.retry(chat.path.value[1].id);
  expect(shown(chat)).toEqual(['Hi', 'Whole']);
  expect(chat.conversation.value?.tree.turns.map(({ content }) => content)).toEqual(['Hi', 'Half', 'Whole']);
});

test('an answer goes on while another conversation is open, and is there on the way back', async () => {
  const { piece, release } = held();
  const { chat, store } = open([{ pieces: ['Slow', piece] }, { pieces: ['Quick'] }]);
  const slow = chat.send('First');
  const first = chat.id.value;
  chat.startNew();
  await chat.send('Second');
  expect(shown(chat)).toEqual(['Second', 'Quick']);
  await chat.open(first);
  expect(chat.coming.value).toBeDefined();
  chat.startNew();
  release(' but steady');
  await slow;
  expect((await store.load(first))?.tree.turns[1]).toMatchObject({
    content: 'Slow but steady',
    facts: { state: 'stop' },
  });
  await chat.open(first);
  expect(shown(chat)).toEqual(['First', 'Slow but steady']);
  expect(chat.coming.value).toBeUndefined();
});

test('a conversation that is removed while its answer comes stays removed', async () => {
  const { piece } = held();
  const { chat, store } = open([{ pieces: ['Half', piece] }]);
  const sent = chat.send('Hi');
  const removed = await chat.remove(chat.id.value);
  await sent;
  expect(await store.list()).toEqual([]);
  expect(await store.search('Half')).toEqual([]);
  expect(removed?.tree.turns[0].content).toBe('Hi');
});

test('a removed conversation can come back', async () => {
  const { chat } = open([{ pieces: ['Hello'] }]);
  await chat.send('Hi');
  const id = chat.id.value;
  const removed = await chat.remove(id);
  expect(chat.conversation.value).toBeUndefined();
  if (removed) await chat.add(removed);
  expect(await chat.open(id)).toBe(true);
  expect(shown(chat)).toEqual(['Hi', 'Hello']);
});

test('model and parameters are chosen for the conversation and for new ones; the system prompt is not', async () => {
  const { chat, lastSetup, store } = open([]);
  await chat.send('Hi');
  const first = chat.id.value;
  chat.choose({ system: 'Be brief.', parameters: { seed: 1 } });
  expect(lastSetup.value).toEqual({ model: 'tiny', system: '', parameters: { seed: 1 } });
  expect((await store.load(first))?.setup.system).toBe('Be brief.');
  chat.startNew();
  expect(chat.setup.value).toEqual({ model: 'tiny', system: '', parameters: { seed: 1 } });
});

test('a store that fails is told, and the chat goes on', async () => {
  const store: Store = { ...memoryStore(), saveHead: () => Promise.reject(new Error('disk full')) };
  const { chat, problems } = open([{ pieces: ['Hello'] }], store);
  await chat.send('Hi');
  expect(shown(chat)).toEqual(['Hi', 'Hello']);
  expect(problems[0]).toBe('This browser could not keep the conversation: Error: disk full.');
});
