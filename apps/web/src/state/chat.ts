/**
 * The conversation that is open and what can be done with it. Answers go on when another conversation is opened; each
 * is saved as it grows, so that a closed page loses a fraction of a second at most.
 */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Extension } from '../extensions.ts';
import type { Provider } from '../provider.ts';
import { runAnswer } from './answering.ts';
import { type Conversation, EMPTY_SETUP, type Setup, titleOf } from './conversation.ts';
import { headOf, type Store } from './store.ts';
import * as trees from './tree.ts';

/** An answer that is coming. */
export interface Live {
  readonly text: Signal<string>;
  readonly pieces: Signal<number>;
  readonly stop: () => void;
}

export interface ChatParts {
  readonly store: Store;
  readonly provider: ReadonlySignal<Provider>;
  readonly extensions: readonly Extension[];
  /** What a new conversation starts with; the last choices are written back to it. */
  readonly lastSetup: Signal<Setup>;
  /** The list of conversations is to be read again. */
  readonly onSaved: () => void;
  /** Something could not be kept: one sentence. */
  readonly onProblem: (message: string) => void;
  /** An answer has come to its end, in whichever conversation. */
  readonly onAnswered: (answer: trees.Answer) => void;
}

/** Milliseconds between two pictures of a growing answer, and between two saves of it. */
const SHOW_EVERY = 40;
const SAVE_EVERY = 400;

/** Random enough for ever; works where `crypto.randomUUID` does not (plain HTTP). */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let lastTime = 0;
/** Milliseconds since 1970, never the same twice: the order of turns hangs on it. */
function newTime(): number {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return lastTime;
}

export class Chat {
  /** Undefined: a new one, which begins to exist with its first question. */
  readonly conversation: Signal<Conversation | undefined> = signal(undefined);
  readonly setup: Signal<Setup>;
  readonly live: Signal<ReadonlyMap<string, Live>> = signal(new Map());
  readonly path: ReadonlySignal<readonly trees.Turn[]> = computed(() =>
    trees.pathOf(this.conversation.value?.tree ?? trees.EMPTY_TREE),
  );
  /** The answer that is coming on the path that is shown. */
  readonly coming: ReadonlySignal<Live | undefined> = computed(() =>
    this.live.value.get(this.path.value.at(-1)?.id ?? ''),
  );
  /** Id under which extensions keep what belongs to the open conversation, also before it exists. */
  readonly id: Signal<string> = signal(newId());
  readonly #parts: ChatParts;
  /** Conversations with an answer on the way that are not open. */
  readonly #away = new Map<string, Conversation>();

  constructor(parts: ChatParts) {
    this.#parts = parts;
    this.setup = signal({ ...parts.lastSetup.peek(), system: '' });
  }

  startNew(): void {
    this.#leave();
    this.conversation.value = undefined;
    this.id.value = newId();
    this.setup.value = { ...this.#parts.lastSetup.peek(), system: '' };
  }

  /** @returns whether there is such a conversation. */
  async open(id: string): Promise<boolean> {
    if (this.conversation.peek()?.id === id) return true;
    const found = this.#away.get(id) ?? (await this.#parts.store.load(id));
    if (!found) return false;
    this.#leave();
    this.#away.delete(id);
    this.id.value = id;
    this.conversation.value = found;
    this.setup.value = { ...EMPTY_SETUP, ...found.setup };
    return true;
  }

  /** For the next answers; kept with the conversation and, but for the system prompt, for new ones. */
  choose(change: Partial<Setup>): void {
    this.setup.value = { ...this.setup.peek(), ...change };
    this.#parts.lastSetup.value = { ...this.setup.peek(), system: '' };
    const open = this.conversation.peek();
    if (open) this.#update(open.id, (old) => ({ ...old, setup: this.setup.peek() }));
  }

  send(text: string): Promise<void> {
    return this.#ask(this.path.peek().at(-1)?.id ?? '', text);
  }

  /** The same question in other words, as a new branch. */
  edit(question: string, text: string): Promise<void> {
    const turn = this.#find(question);
    return turn ? this.#ask(turn.parent, text) : Promise.resolve();
  }

  /** Another answer to the question of `answer`, as a new branch; one that came to nothing makes way. */
  retry(answer: string): Promise<void> {
    const turn = this.#find(answer);
    const open = this.conversation.peek();
    if (turn?.role !== 'assistant' || !open || this.live.peek().has(answer)) return Promise.resolve();
    if (turn.content === '') {
      this.#update(open.id, (old) => ({ ...old, tree: trees.withoutTurn(old.tree, answer) }));
      this.#keep(this.#parts.store.removeTurns([answer]));
    }
    return this.#answer(open.id, turn.parent);
  }

  /** Shows the branch of this turn. */
  switchTo(id: string): void {
    const open = this.conversation.peek();
    if (open) this.#update(open.id, (old) => ({ ...old, tree: trees.withChosen(old.tree, id) }));
  }

  stop(): void {
    this.coming.peek()?.stop();
  }

  rename(id: string, title: string): Promise<void> {
    return this.#change(id, (old) => ({ ...old, title: title.trim() || old.title }));
  }

  /** @returns what was removed, so that it can come back. */
  async remove(id: string): Promise<Conversation | undefined> {
    const open = this.conversation.peek();
    const removed = open?.id === id ? open : await this.#parts.store.load(id);
    for (const turn of removed?.tree.turns ?? []) this.live.peek().get(turn.id)?.stop();
    if (open?.id === id) this.startNew();
    this.#away.delete(id);
    await this.#keep(this.#parts.store.remove(id));
    this.#parts.onSaved();
    return removed;
  }

  /** Keeps a whole conversation, new or back again. */
  async add(conversation: Conversation): Promise<void> {
    await this.#keep(this.#parts.store.saveTurns(conversation.id, conversation.tree.turns));
    await this.#keep(this.#parts.store.saveHead(headOf(conversation)));
    this.#parts.onSaved();
  }

  #find(id: string): trees.Turn | undefined {
    const open = this.conversation.peek();
    return open && trees.findTurn(open.tree, id);
  }

  /** The open conversation goes out of sight; it stays at hand while an answer is on its way. */
  #leave(): void {
    const open = this.conversation.peek();
    if (open?.tree.turns.some(({ id }) => this.live.peek().has(id))) this.#away.set(open.id, open);
  }

  async #ask(parent: string, text: string): Promise<void> {
    const id = this.id.peek();
    const question: trees.Question = { id: newId(), parent, role: 'user', content: text, created: newTime() };
    if (!this.conversation.peek()) {
      const now = Date.now();
      const setup = this.setup.peek();
      this.conversation.value = {
        id,
        title: titleOf(text),
        created: now,
        updated: now,
        setup,
        tree: trees.EMPTY_TREE,
      };
    }
    this.#update(id, (old) => ({ ...old, updated: Date.now(), tree: trees.withTurn(old.tree, question) }));
    this.#keep(this.#parts.store.saveTurns(id, [question]));
    await this.#answer(id, question.id);
  }

  async #answer(id: string, question: string): Promise<void> {
    const conversation = this.conversation.peek();
    if (!conversation) return;
    const { store, extensions, provider, onAnswered } = this.#parts;
    const setup = this.setup.peek();
    const turn: trees.Answer = {
      id: newId(),
      parent: question,
      role: 'assistant',
      content: '',
      created: newTime(),
      facts: { state: 'streaming', model: setup.model },
    };
    const abort = new AbortController();
    const live: Live = { text: signal(''), pieces: signal(0), stop: () => abort.abort() };
    this.#setLive(turn.id, live);
    this.#update(id, (old) => ({ ...old, tree: trees.withTurn(old.tree, turn) }));
    this.#keep(store.saveTurns(id, [turn]));

    const show = throttle(SHOW_EVERY, (text: string, pieces: number) => {
      live.text.value = text;
      live.pieces.value = pieces;
    });
    const save = throttle(SAVE_EVERY, (content: string) => {
      this.#keep(store.saveTurns(id, [{ ...turn, content }]));
    });
    const answer = await runAnswer({
      conversation: id,
      turn,
      line: trees.ancestry(conversation.tree, question),
      setup,
      provider: provider.peek(),
      extensions,
      signal: abort.signal,
      now: () => performance.now(),
      onText: (text, pieces) => {
        show.call(text, pieces);
        save.call(text);
      },
    });
    show.cancel();
    save.cancel();
    await this.#finish(id, answer);
    onAnswered(answer);
  }

  async #finish(id: string, answer: trees.Answer): Promise<void> {
    const known = this.conversation.peek()?.id === id || this.#away.has(id);
    if (known) {
      this.#update(id, (old) => ({ ...old, updated: Date.now(), tree: trees.withChanged(old.tree, answer) }));
    }
    this.#setLive(answer.id, undefined);
    // A conversation that was removed meanwhile stays removed.
    if (known) await this.#keep(this.#parts.store.saveTurns(id, [answer]));
    const away = this.#away.get(id);
    if (away && !away.tree.turns.some((turn) => this.live.peek().has(turn.id))) this.#away.delete(id);
  }

  #setLive(id: string, live: Live | undefined): void {
    const next = new Map(this.live.peek());
    if (live) next.set(id, live);
    else next.delete(id);
    this.live.value = next;
  }

  /** Changes a conversation that is at hand, and keeps all of it but its turns. */
  #update(id: string, change: (old: Conversation) => Conversation): void {
    const open = this.conversation.peek();
    const away = this.#away.get(id);
    const old = open?.id === id ? open : away;
    if (!old) return;
    const next = change(old);
    if (open?.id === id) this.conversation.value = next;
    else this.#away.set(id, next);
    this.#keep(this.#parts.store.saveHead(headOf(next)).then(this.#parts.onSaved));
  }

  /** As `#update`, of any conversation. */
  async #change(id: string, change: (old: Conversation) => Conversation): Promise<void> {
    if (this.conversation.peek()?.id === id || this.#away.has(id)) return this.#update(id, change);
    const old = await this.#parts.store.load(id);
    if (old) await this.#keep(this.#parts.store.saveHead(headOf(change(old))));
    this.#parts.onSaved();
  }

  async #keep(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => {
      this.#parts.onProblem(`This browser could not keep the conversation: ${String(error)}.`);
    });
  }
}

/** Calls at most once in `ms`, with the newest arguments; the first call waits, too. */
function throttle<A extends unknown[]>(ms: number, work: (...args: A) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let newest: A | undefined;
  return {
    call: (...args: A) => {
      newest = args;
      timer ??= setTimeout(() => {
        timer = undefined;
        if (newest) work(...newest);
      }, ms);
    },
    cancel: () => clearTimeout(timer),
  };
}
