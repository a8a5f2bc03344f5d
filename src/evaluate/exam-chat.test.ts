/** Which tokens count as a right answer, for templates of several kinds. */
import { describe, expect, test } from 'vitest';
import { type GgufFile, str } from '../gguf/index.ts';
import { type Tokenizer, tokenizerOf } from '../text/index.ts';
import { byteLevelEntries, ggufOf, sentencePieceEntries } from '../text/testing.cases.ts';
import { askedQuestions, type Exam } from './index.ts';

const EXAM: Exam = {
  place: 'exam.jsonl',
  questions: [{ line: 4, category: 'c', question: 'Hi <|end|>', answer: '12.' }],
};

const control = (text: string) => ({ text, type: 'control' as const });
const SPECIAL = ['<|user|>', '<|assistant|>', '<|end|>', '<|fin|>', '<|say|>'].map(control);

function open(template: string, entries = byteLevelEntries([], SPECIAL)): Promise<GgufFile> {
  return ggufOf({ ...entries, 'tokenizer.chat_template': str(template) });
}

const show = (tokenizer: Tokenizer, ids: Int32Array): string =>
  tokenizer.decode(ids, { special: true, start: false });

/** Prompt and answer as text. */
async function askedOf(template: string, entries?: Parameters<typeof open>[1]): Promise<[string, string]> {
  const file = await open(template, entries);
  const tokenizer = tokenizerOf(file);
  const [{ prompt, answer }] = askedQuestions(file, EXAM);
  return [show(tokenizer, prompt), show(tokenizer, answer)];
}

/** A template from what it writes before a message, behind it, and before the assistant's answer. */
const templateOf = (user: string, end: string, assistant: string): string =>
  `{% for m in messages %}{{ ('${user}' if m.role == 'user' else '${assistant}') + m.content + '${end}' }}{% endfor %}` +
  `{% if add_generation_prompt %}{{ '${assistant}' }}{% endif %}`;

describe('the tokens of a right answer', () => {
  test('go on from the prompt and end with what the template writes behind the answer', async () => {
    expect(await askedOf(templateOf('<|user|>\\n', '<|end|>\\n', '<|assistant|>\\n'))).toEqual([
      '<|user|>\nHi <|end|><|end|>\n<|assistant|>\n',
      '12.<|end|>',
    ]);
  });

  test('end with a token of any name', async () => {
    const [, answer] = await askedOf(templateOf('<|user|>', '<|fin|>', '<|assistant|>'));
    expect(answer).toBe('12.<|fin|>');
  });

  test('hold what the template has the assistant write before the answer', async () => {
    const template = templateOf('<|user|>', '<|end|>', '<|assistant|>').replace(
      'm.content',
      "('<|say|>' if m.role == 'assistant' else '') + m.content",
    );
    const [prompt, answer] = await askedOf(template);
    expect(prompt.endsWith('<|assistant|>')).toBe(true);
    expect(answer).toBe('<|say|>12.<|end|>');
  });

  test('are those of the answer alone where a prompt has what a finished chat has not', async () => {
    const template = templateOf('<|user|>', '<|end|>', '<|assistant|>').replace(
      /'<.assistant.>' }}{% endif %}$/,
      "'<|assistant|>think' }}{% endif %}",
    );
    expect(await askedOf(template)).toEqual(['<|user|>Hi <|end|><|end|><|assistant|>think', '12.<|end|>']);
  });

  test('begin with the space that a SentencePiece vocabulary puts before words', async () => {
    const entries = sentencePieceEntries([{ text: '▁' }, ...SPECIAL]);
    for (const extra of ['', 'think']) {
      const template = templateOf('<|user|>', '<|end|>', '<|assistant|>').replace(
        /'<.assistant.>' }}{% endif %}$/,
        `'<|assistant|>${extra}' }}{% endif %}`,
      );
      const [, answer] = await askedOf(template, entries);
      expect(answer).toBe(' 12.<|end|>');
    }
  });

  test('are those of the answer alone where letters would merge across the joint', async () => {
    // ":1" is one token of this vocabulary, so a whole chat does not begin with the tokens of its prompt.
    const entries = byteLevelEntries([': 1'], [control('<|end|>')]);
    expect(
      await askedOf(
        '{% for m in messages %}{{ m.role + ":" + m.content + "<|end|>" }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}',
        entries,
      ),
    ).toEqual(['user:Hi <|end|><|end|>assistant:', '12.<|end|>']);
  });
});

const NO_END = 'exam.jsonl:4: the chat template writes no token that ends the turn behind the answer';

test.each([
  [NO_END, '{{ messages[0].content }}'],
  [NO_END, templateOf('', '', '')],
  ['exam.jsonl:4: cannot be asked: m.gguf: chat template: fails: no', "{{ raise_exception('no') }}"],
])('an input error: %s', async (message, template) => {
  const file = await open(template);
  expect(() => askedQuestions(file, EXAM)).toThrow(expect.objectContaining({ kind: 'input', message }));
});

test('a model without a chat template cannot sit an exam', async () => {
  const file = await ggufOf(sentencePieceEntries(SPECIAL));
  expect(() => askedQuestions(file, EXAM)).toThrow('m.gguf: has no chat template');
});
