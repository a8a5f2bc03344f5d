/** Both stores keep, find and forget the same; IndexedDB is an implementation in memory here. */
import 'fake-indexeddb/auto';
import { afterEach, describe, expect, test } from 'vitest';
import { answer, conversation, question } from '../testing/turns.ts';
import type { Conversation } from './conversation.ts';
import { indexedStore } from './indexed-store.ts';
import { headOf, memoryStore, type Store } from './store.ts';

const MILLS = conversation('m', 'Windmills', [
  question('q', '', 'How old are WINDMILLS in Europe?'),
  answer('a', 'q', 'About nine hundred years.'),
]);
const BREAD = { ...conversation('b', 'Bread', [question('p', '', 'How is bread made?')]), updated: 9 };

async function keep(store: Store, ...conversations: readonly Conversation[]): Promise<void> {
  for (const one of conversations) {
    await store.saveHead(headOf(one));
    await store.saveTurns(one.id, one.tree.turns);
  }
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

let databases = 0;
const STORES: Readonly<Record<string, () => Promise<Store>>> = {
  memory: async () => memoryStore(),
  IndexedDB: async () => {
    const store = await indexedStore(`test-${databases++}`);
    closers.push(store.close);
    return store;
  },
};

describe.each(Object.entries(STORES))('in %s', (_name, open) => {
  test('what is kept comes back whole', async () => {
    const store = await open();
    await keep(store, MILLS);
    expect(await store.load('m')).toEqual(MILLS);
    expect(await store.load('none')).toBeUndefined();
  });

  test('the list has the newest first', async () => {
    const store = await open();
    await keep(store, MILLS, BREAD);
    expect((await store.list()).map(({ title }) => title)).toEqual(['Bread', 'Windmills']);
  });

  test('a turn that is saved again takes its own place', async () => {
    const store = await open();
    await keep(store, MILLS);
    await store.saveTurns('m', [{ ...answer('a', 'q', 'Longer.'), created: MILLS.tree.turns[1].created }]);
    expect((await store.load('m'))?.tree.turns.map(({ content }) => content)).toEqual([
      'How old are WINDMILLS in Europe?',
      'Longer.',
    ]);
  });

  test('an answer that was still coming is interrupted, with what had come', async () => {
    const store = await open();
    await keep(store, conversation('m', 'x', [answer('a', '', 'Half an ans', { state: 'streaming' })]));
    const turn = (await store.load('m'))?.tree.turns[0];
    expect(turn?.content).toBe('Half an ans');
    expect(turn?.role === 'assistant' && turn.facts.state).toBe('interrupted');
  });

  test('search looks for all words, in titles and in what was said, in any case', async () => {
    const store = await open();
    await keep(store, MILLS, BREAD);
    const found = async (text: string) => (await store.search(text)).map(({ id }) => id);
    expect(await found('nine EUROPE')).toEqual(['m']);
    expect(await found('how')).toEqual(['b', 'm']);
    expect(await found('bread europe')).toEqual([]);
  });

  test('what is removed is gone with its turns; the rest stays', async () => {
    const store = await open();
    await keep(store, MILLS, BREAD);
    await store.removeTurns(['a']);
    expect((await store.load('m'))?.tree.turns).toHaveLength(1);
    await store.remove('m');
    expect(await store.load('m')).toBeUndefined();
    expect(await store.search('europe')).toEqual([]);
    expect((await store.list()).map(({ id }) => id)).toEqual(['b']);
  });
});

test('IndexedDB keeps over a closing', async () => {
  const first = await indexedStore('twice');
  await keep(first, MILLS);
  first.close();
  const second = await indexedStore('twice');
  closers.push(second.close);
  expect(await second.load('m')).toEqual(MILLS);
});
