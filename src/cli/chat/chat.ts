/** A chat while it goes on: what was said, how answers are made, and what can be done with both. No terminal in here. */
import { setImmediate } from 'node:timers/promises';
import { usageError } from '../../core/index.ts';
import type { AnswerEnd, Conversation, OverflowPolicy } from '../../generate/index.ts';
import { type Answer, answer } from '../answers.ts';
import { generationOptions, type Parameters } from '../generation-options.ts';
import { loadChat, type SavedChat, saveChat, type TextMessage } from './chat-file.ts';

/** Where a chat is seen. */
export interface ChatView {
  /** A piece of an answer, as the model says it. */
  show(text: string): void;
  /** The answer is whole, or was stopped. */
  end(answer: Answer<AnswerEnd>): void;
  /** One line about the chat that is not part of it. */
  note(line: string): void;
  /** Tokens of a prompt that are read; then the answer begins. */
  reading(done: number, total: number): void;
}

export interface ChatSettings {
  /** Its name. */
  readonly model: string;
  readonly policy: OverflowPolicy;
  readonly stop: readonly string[];
}

/** What is needed of a conversation. */
export type Answering = Pick<Conversation, 'prompt' | 'answer' | 'position' | 'contextSize'>;

interface Stats {
  readonly last?: Answer<AnswerEnd>;
  readonly answers: number;
  readonly tokens: number;
}

const message = (role: TextMessage['role'], content: string): TextMessage => ({ role, content });

export class Chat {
  parameters: Parameters;
  readonly #conversation: Answering;
  readonly #settings: ChatSettings;
  readonly #view: ChatView;
  #messages: readonly TextMessage[] = [];
  /** What the user said last, where it has no answer and is not part of the chat. */
  #unsent: string | undefined;
  #stats: Stats = { answers: 0, tokens: 0 };

  constructor(conversation: Answering, settings: ChatSettings, parameters: Parameters, view: ChatView) {
    this.#conversation = conversation;
    this.#settings = settings;
    this.parameters = parameters;
    this.#view = view;
  }

  get messages(): readonly TextMessage[] {
    return this.#messages;
  }

  /** The system's message at the beginning. */
  get system(): string | undefined {
    const [first] = this.#messages;
    return first?.role === 'system' ? first.content : undefined;
  }

  /** @param text empty: none. */
  set system(text: string) {
    const rest = this.system === undefined ? this.#messages : this.#messages.slice(1);
    this.#messages = text === '' ? rest : [message('system', text), ...rest];
  }

  /** Answers to what the user says. Where there is no answer, the chat stays as it was, and `retry` says it again. */
  async say(text: string, signal?: AbortSignal): Promise<void> {
    this.#unsent = text;
    if (await this.#answer([...this.#messages, message('user', text)], signal)) this.#unsent = undefined;
  }

  /** Another answer to what the user said last. @throws usage error: nothing yet. */
  async retry(signal?: AbortSignal): Promise<void> {
    if (this.#unsent !== undefined) return this.say(this.#unsent, signal);
    const last = this.#messages.findLastIndex(({ role }) => role === 'user');
    if (last < 0) throw usageError('there is no message to answer');
    await this.#answer(this.#messages.slice(0, last + 1), signal);
  }

  /** Takes back what the user said last, and the answer; returns it. @throws usage error: nothing yet. */
  undo(): string {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) return unsent;
    const last = this.#messages.findLastIndex(({ role }) => role === 'user');
    if (last < 0) throw usageError('there is no message to take back');
    const { content } = this.#messages[last];
    this.#messages = this.#messages.slice(0, last);
    return content;
  }

  /** Forgets all but the system's message. */
  clear(): void {
    this.#messages = this.#messages.filter(({ role }, i) => i === 0 && role === 'system');
  }

  /** @throws as `saveChat`; usage error: there is nothing to save. */
  async save(file: string): Promise<void> {
    if (this.#messages.length === 0) throw usageError('there is nothing to save: no message yet');
    const { model } = this.#settings;
    await saveChat(file, { model, parameters: this.parameters, messages: this.#messages });
  }

  /** Goes on with a chat from a file. @throws as `loadChat`; the chat stays as it was. */
  async load(file: string): Promise<void> {
    this.restore(await loadChat(file), file);
  }

  /** @param name of the file. */
  restore({ model, parameters, messages }: SavedChat, name: string): void {
    this.#messages = messages;
    this.#unsent = undefined;
    if (parameters) this.parameters = parameters;
    const { note } = this.#view;
    note(`${name}: ${counted(messages.length, 'message')}${parameters ? ', and its parameters' : ''}`);
    if (model !== undefined && model !== this.#settings.model) {
      note(`it was held with ${JSON.stringify(model)}; here answers ${JSON.stringify(this.#settings.model)}`);
    }
    if (messages.at(-1)?.role === 'user') note('the last message has no answer: /retry answers it');
  }

  /** Lines about the context and the answers. */
  stats(): string[] {
    const { last, answers, tokens } = this.#stats;
    const { position, contextSize } = this.#conversation;
    const held = `context: ${position} of ${contextSize} positions; chat: ${counted(this.#messages.length, 'message')}`;
    if (!last) return [`${held}; no answer yet`];
    const [first, rest] = last.seconds;
    const { promptTokens, reusedTokens, tokens: count } = last.end;
    const speed = count > 1 ? `, ${((count - 1) / rest).toFixed(1)} tokens/s` : '';
    return [
      held,
      `last prompt: ${counted(promptTokens, 'token')}, ${reusedTokens} of them held already; read in ${first.toFixed(2)} s`,
      `last answer: ${counted(count, 'token')}${speed}`,
      `in all: ${counted(answers, 'answer')}, ${counted(tokens, 'token')}`,
    ];
  }

  /** Whether there is an answer; `messages` and the answer are the chat then. */
  async #answer(messages: readonly TextMessage[], signal: AbortSignal | undefined): Promise<boolean> {
    const { policy, stop } = this.#settings;
    const { note, show, end, reading } = this.#view;
    const { ids, dropped, cut } = this.#conversation.prompt(messages, policy, this.parameters.tokens);
    if (dropped > 0)
      note(`too long for the context: the model does not see the ${counted(dropped, 'oldest message')}`);
    if (cut > 0) note(`too long for the context: the model does not see ${counted(cut, 'character')}`);
    const tokens = this.#conversation.answer(ids, {
      ...generationOptions(this.parameters),
      stop,
      onPrompt: async (done, total) => {
        reading(done, total);
        await setImmediate();
      },
      ...(signal ? { signal } : {}),
    });
    const whole = await answer(tokens, show);
    end(whole);
    const { answers, tokens: before } = this.#stats;
    this.#stats = { last: whole, answers: answers + 1, tokens: before + whole.end.tokens };
    this.#tellEnd(whole);
    if (whole.end.reason === 'aborted' && whole.text === '') return false;
    this.#messages = [...messages, message('assistant', whole.text)];
    return true;
  }

  #tellEnd({ text, end: { reason, tokens } }: Answer<AnswerEnd>): void {
    const { note } = this.#view;
    if (reason === 'length') note(`stopped after ${counted(tokens, 'token')} (--tokens)`);
    else if (reason === 'context') {
      note(`the context of ${this.#conversation.contextSize} positions is full: the answer ends here`);
    } else if (reason === 'aborted') {
      note(text === '' ? 'stopped before the answer; /retry asks again' : 'stopped; /retry answers anew');
    } else if (text === '') note('the model ended without a word');
  }
}

/** `1 token`, `2 tokens`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
