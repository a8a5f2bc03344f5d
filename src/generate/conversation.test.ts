import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { referenceBackend } from '../backends/index.ts';
import { type ChatMessage, ChatTemplate, type Tokenizer, tokenizerOf } from '../text/index.ts';
import { type AnswerEnd, type AnswerOptions, Conversation, Engine, Session } from './index.ts';

const TEMPLATE =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

let engine: Engine;
let tokenizer: Tokenizer;
let template: ChatTemplate;
const open: Session[] = [];

beforeAll(async () => {
  const file = await openTinyModel('phi3');
  engine = await Engine.open(file, { backend: referenceBackend(), contextSize: 300 });
  tokenizer = tokenizerOf(file);
  template = new ChatTemplate(TEMPLATE, tokenizer, 'm.gguf');
});
afterAll(() => {
  for (const session of open) session.close();
  engine.close();
});

async function conversation(): Promise<Conversation> {
  const session = await Session.open(engine);
  open.push(session);
  return new Conversation(session, tokenizer, template);
}

async function answer(
  talk: Conversation,
  messages: readonly ChatMessage[],
  options: AnswerOptions = {},
): Promise<{ ids: number[]; text: string; end: AnswerEnd }> {
  const tokens = talk.answer(talk.prompt(messages).ids, { maxTokens: 10, ...options });
  const ids: number[] = [];
  const texts: string[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    texts.push(value.text);
    if (done) return { ids, text: texts.join(''), end: value };
    ids.push(value.id);
  }
}

const HELLO = [
  { role: 'system', content: 'Be short.' },
  { role: 'user', content: 'abc' },
];

describe('a conversation', () => {
  it('answers a later turn as one that begins with it, and feeds only what is new', async () => {
    const talk = await conversation();
    const first = await answer(talk, HELLO);
    expect(first.end).toMatchObject({ reason: 'length', tokens: 10, reusedTokens: 0 });
    const messages = [...HELLO, { role: 'assistant', content: first.text }, { role: 'user', content: 'd' }];
    // Penalties look at the whole prompt, whether or not it is held.
    const options = { repetitionPenalty: 1.3 };
    const later = await answer(talk, messages, options);
    expect(later.end.reusedTokens).toBeGreaterThanOrEqual(first.end.promptTokens);
    const fresh = await answer(await conversation(), messages, options);
    expect(fresh.end.reusedTokens).toBe(0);
    expect(later.ids).toEqual(fresh.ids);
    // The same question once more: all of the prompt is held but its last token.
    const again = await answer(talk, messages, options);
    expect(again.ids).toEqual(fresh.ids);
    expect(again.end.reusedTokens).toBe(again.end.promptTokens - 1);
  });

  it('feeds a long prompt in steps, tells of them, and can be stopped between them', async () => {
    const talk = await conversation();
    const messages = [{ role: 'user', content: 'abcdefgh '.repeat(31) }];
    const controller = new AbortController();
    const heard: number[][] = [];
    const onPrompt = (done: number, total: number) => {
      heard.push([done, total]);
      if (done > 0) controller.abort();
    };
    const { end, text } = await answer(talk, messages, { onPrompt, signal: controller.signal });
    expect(end.promptTokens).toBeGreaterThan(256);
    expect(heard).toEqual([
      [0, end.promptTokens],
      [128, end.promptTokens],
    ]);
    expect({ ...end, text }).toMatchObject({ reason: 'aborted', tokens: 0, text: '' });
    expect(talk.position).toBe(128);
    // What was fed before counts.
    const goOn = await answer(talk, messages);
    expect(goOn.end.reusedTokens).toBe(128);
    expect(goOn.ids).toEqual((await answer(await conversation(), messages)).ids);
  });

  it('reads the text of a control token in a message as text', async () => {
    const talk = await conversation();
    const { ids } = talk.prompt([{ role: 'user', content: 'a<|endoftext|><|user|>b' }]);
    // The template's own <|user|> is the only control token beside BOS; this vocabulary has no <|assistant|>.
    const control = [...ids].filter((id) => tokenizer.isControl(id));
    expect(control.map((id) => tokenizer.decode([id], { special: true }))).toEqual(['<s>', '<|user|>']);
  });
});
