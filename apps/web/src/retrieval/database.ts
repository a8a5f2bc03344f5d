/** What retrieval keeps in this browser: attached files by conversation, and vectors by model and text. */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { AttachedFile } from './files.ts';
import type { Embed } from './search.ts';

interface KeptFile extends AttachedFile {
  readonly conversation: string;
  /** Milliseconds since 1970. */
  readonly added: number;
}

interface Schema extends DBSchema {
  files: { key: string; value: KeptFile; indexes: { conversation: string } };
  vectors: { key: string; value: Float32Array };
}

const VERSION = 1;

/** Vectors that are kept at most; beyond, all are forgotten and made anew as they are needed. */
const MOST_VECTORS = 20_000;

/** @throws what IndexedDB throws where it is forbidden. */
export type Files = Awaited<ReturnType<typeof openFiles>>;

export async function openFiles(name = 'bitmill-files') {
  const db = await openDB<Schema>(name, VERSION, {
    upgrade: (fresh) => {
      fresh.createObjectStore('files', { keyPath: 'id' }).createIndex('conversation', 'conversation');
      fresh.createObjectStore('vectors');
    },
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase | null)?.close(),
  });
  return {
    close: () => db.close(),
    /** In the order in which they came. */
    of: async (conversation: string): Promise<AttachedFile[]> => {
      const kept = await db.getAllFromIndex('files', 'conversation', conversation);
      return kept
        .sort((a, b) => a.added - b.added)
        .map(({ conversation: _conversation, added: _added, ...file }) => file);
    },
    add: async (conversation: string, file: AttachedFile, added: number) =>
      void (await db.put('files', { ...file, conversation, added })),
    remove: (id: string) => db.delete('files', id),
    /** Forgets the files of conversations that are gone. */
    keepOnly: (conversations: ReadonlySet<string>) => keepOnly(db, conversations),
    /** Embeds as `embed` does, but each text once. @param model its vectors are its own. */
    cached: (model: string, embed: Embed): Embed => cached(db, model, embed),
  };
}

async function keepOnly(db: IDBPDatabase<Schema>, conversations: ReadonlySet<string>): Promise<void> {
  for (const { id, conversation } of await db.getAll('files')) {
    if (!conversations.has(conversation)) await db.delete('files', id);
  }
}

/** SHA-256 in hex. */
async function hashOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function cached(db: IDBPDatabase<Schema>, model: string, embed: Embed): Embed {
  return async (texts) => {
    // Pages over http from elsewhere than this machine have no crypto.subtle: there nothing is kept.
    if (!globalThis.crypto?.subtle) return embed(texts);
    const keys = await Promise.all(texts.map((text) => hashOf(`${model}\n${text}`)));
    const known = await Promise.all(keys.map((key) => db.get('vectors', key)));
    const missing = keys.flatMap((_, i) => (known[i] ? [] : [i]));
    const made = missing.length > 0 ? await embed(missing.map((i) => texts[i])) : [];
    if ((await db.count('vectors')) + made.length > MOST_VECTORS) await db.clear('vectors');
    const write = db.transaction('vectors', 'readwrite');
    await Promise.all([...made.map((vector, i) => write.store.put(vector, keys[missing[i]])), write.done]);
    const fresh = new Map(missing.map((i, at) => [i, made[at]]));
    return known.map((vector, i) => vector ?? fresh.get(i) ?? new Float32Array());
  };
}
