/**
 * Conversations in IndexedDB: heads in one store, turns in another, so that a growing answer writes only itself.
 */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { assemble, type Head, matcher, newestFirst, type Store, summaryOf } from './store.ts';
import type { Turn } from './tree.ts';

interface Kept {
  readonly id: string;
  readonly conversation: string;
  readonly turn: Turn;
}

interface Schema extends DBSchema {
  heads: { key: string; value: Head };
  turns: { key: string; value: Kept; indexes: { conversation: string } };
}

const VERSION = 1;

/** @throws what IndexedDB throws where it is forbidden or broken. */
export async function indexedStore(name = 'bitmill'): Promise<Store & { close(): void }> {
  const db = await openDB<Schema>(name, VERSION, {
    upgrade: (fresh) => {
      fresh.createObjectStore('heads', { keyPath: 'id' });
      fresh.createObjectStore('turns', { keyPath: 'id' }).createIndex('conversation', 'conversation');
    },
    // Another tab wants a newer form: it must not wait for this one.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase | null)?.close(),
  });
  const heads = async () => (await db.getAll('heads')).sort(newestFirst);
  return {
    lasting: true,
    close: () => db.close(),
    list: async () => (await heads()).map(summaryOf),
    load: async (id) => {
      const head = await db.get('heads', id);
      if (!head) return undefined;
      const kept = await db.getAllFromIndex('turns', 'conversation', id);
      return assemble(
        head,
        kept.map(({ turn }) => turn),
      );
    },
    saveHead: async (head) => void (await db.put('heads', head)),
    saveTurns: (conversation, turns) => saveTurns(db, conversation, turns),
    removeTurns: async (ids) => {
      const write = db.transaction('turns', 'readwrite');
      await Promise.all([...ids.map((id) => write.store.delete(id)), write.done]);
    },
    remove: (id) => remove(db, id),
    search: async (text) => {
      const texts = await textsByConversation(db);
      const matches = matcher(text);
      return (await heads())
        .filter(({ id, title }) => matches([title, ...(texts.get(id) ?? [])]))
        .map(summaryOf);
    },
  };
}

async function saveTurns(
  db: IDBPDatabase<Schema>,
  conversation: string,
  turns: readonly Turn[],
): Promise<void> {
  const write = db.transaction('turns', 'readwrite');
  await Promise.all([
    ...turns.map((turn) => write.store.put({ id: turn.id, conversation, turn })),
    write.done,
  ]);
}

async function remove(db: IDBPDatabase<Schema>, id: string): Promise<void> {
  const write = db.transaction(['heads', 'turns'], 'readwrite');
  const turns = write.objectStore('turns');
  const keys = await turns.index('conversation').getAllKeys(id);
  await Promise.all([
    write.objectStore('heads').delete(id),
    ...keys.map((key) => turns.delete(key)),
    write.done,
  ]);
}

async function textsByConversation(db: IDBPDatabase<Schema>): Promise<Map<string, string[]>> {
  const texts = new Map<string, string[]>();
  for (const { conversation, turn } of await db.getAll('turns')) {
    texts.set(conversation, [...(texts.get(conversation) ?? []), turn.content]);
  }
  return texts;
}
