/** The files that are attached to conversations, as the page shows them; kept where the browser keeps anything. */
import { type Signal, signal } from '@preact/signals';
import { type Files, openFiles } from './database.ts';
import { type AttachedFile, type Readable, readText, refusalOf } from './files.ts';
import type { Embed } from './search.ts';

export class Attachments {
  /** What went wrong last, in a sentence; '' for nothing. */
  readonly problem: Signal<string> = signal('');
  readonly #lists = new Map<string, Signal<readonly AttachedFile[]>>();
  readonly #database: Promise<Files | undefined>;

  constructor(open: () => Promise<Files> = openFiles) {
    this.#database = open().catch(() => undefined);
  }

  /** Files of a conversation; filled once they are read. */
  of(conversation: string): Signal<readonly AttachedFile[]> {
    const known = this.#lists.get(conversation);
    if (known) return known;
    const list = signal<readonly AttachedFile[]>([]);
    this.#lists.set(conversation, list);
    void this.#database.then(async (database) => {
      const kept = (await database?.of(conversation)) ?? [];
      list.value = [...kept, ...list.peek()];
    });
    return list;
  }

  /** The same, when they have been read. */
  async ready(conversation: string): Promise<readonly AttachedFile[]> {
    const list = this.of(conversation);
    const kept = (await (await this.#database)?.of(conversation)) ?? [];
    return list.peek().length > 0 ? list.peek() : kept;
  }

  /** Takes those that can be taken; `problem` tells of the others. */
  async add(conversation: string, files: Iterable<Readable>): Promise<void> {
    const list = this.of(conversation);
    const problems: string[] = [];
    for (const file of files) {
      try {
        const text = await readText(file);
        const refusal = refusalOf(list.peek(), file.name, text);
        if (refusal) throw new Error(refusal);
        const attached = { id: crypto.randomUUID(), name: file.name, text, bytes: file.size };
        list.value = [...list.peek(), attached];
        await (await this.#database)?.add(conversation, attached, Date.now());
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    this.problem.value = problems.join(' ');
  }

  async remove(conversation: string, id: string): Promise<void> {
    const list = this.of(conversation);
    list.value = list.peek().filter((file) => file.id !== id);
    this.problem.value = '';
    await (await this.#database)?.remove(id);
  }

  /** Forgets what belongs to conversations that are gone. */
  async keepOnly(conversations: ReadonlySet<string>): Promise<void> {
    await (await this.#database)?.keepOnly(conversations);
  }

  /** @returns `embed` that asks for each text only once, where the browser keeps anything. */
  async cached(model: string, embed: Embed): Promise<Embed> {
    return (await this.#database)?.cached(model, embed) ?? embed;
  }
}
