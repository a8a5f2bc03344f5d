/** The embedded model in `models/phi3-tiny`: its files, its exam and texts, its tokenizer. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { loadTokenizer } from '../src/cli/tokenizer.ts';
import { ChatTemplate, type Tokenizer } from '../src/text/index.ts';

const FOLDER = new URL('../models/phi3-tiny/', import.meta.url);
const text = (file: string) => readFileSync(new URL(file, FOLDER), 'utf8');
const json = (file: string): Record<string, unknown> => JSON.parse(text(file));

const EXAM = text('exam.jsonl')
  .trim()
  .split('\n')
  .map((line): { category: string; question: string; answer: string } => JSON.parse(line));

/** What ends every document in the two texts. */
const END = '<|endoftext|>';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(FOLDER.pathname);
});

test('the folder holds a whole checkpoint of at most 24 MB, with its card and the scripts that made it', () => {
  const files = [
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'README.md',
    'training/README.md',
    'training/train.py',
  ];
  for (const file of files) expect(existsSync(new URL(file, FOLDER)), file).toBe(true);
  expect(statSync(new URL('model.safetensors', FOLDER)).size).toBeLessThanOrEqual(24_000_000);
});

test('it is a Phi-3 whose rows fit blocks of 256', () => {
  const config = json('config.json');
  expect(config['architectures']).toEqual(['Phi3ForCausalLM']);
  expect(Number(config['hidden_size']) % 256).toBe(0);
  expect(Number(config['intermediate_size']) % 256).toBe(0);
  expect(config['tie_word_embeddings']).toBe(false);
});

test('the exam asks at least 200 questions, none twice', () => {
  expect(EXAM.length).toBeGreaterThanOrEqual(200);
  expect(new Set(EXAM.map(({ question }) => question)).size).toBe(EXAM.length);
});

test('calibration and evaluation hold no question of the exam and share no document', () => {
  const calibration = text('calibration.txt');
  const evaluation = text('evaluation.txt');
  for (const { question } of EXAM) {
    expect(calibration).not.toContain(question);
    expect(evaluation).not.toContain(question);
  }
  const documents = (of: string) => of.split(END).filter((one) => one !== '');
  const seen = new Set(documents(calibration));
  expect(documents(evaluation).filter((one) => seen.has(one))).toEqual([]);
});

test('every question and answer comes back from its tokens', () => {
  for (const { question, answer } of EXAM) {
    expect(tokenizer.decode(tokenizer.encode(question))).toBe(question);
    expect(tokenizer.decode(tokenizer.encode(answer))).toBe(answer);
  }
});

test('a chat begins with <s> and carries control tokens, swallowed line breaks and digits one by one', () => {
  const template = new ChatTemplate(
    String(json('tokenizer_config.json')['chat_template']),
    tokenizer,
    'here',
  );
  const messages = [{ role: 'user', content: 'What is 12 plus 5?' }];
  expect(template.render(messages, { generationPrompt: true })).toBe(
    '<|user|>\nWhat is 12 plus 5?<|end|>\n<|assistant|>\n',
  );
  const ids = [...template.encode(messages, { generationPrompt: true })];
  expect(ids.map((id) => tokenizer.decode([id], { special: true, start: false }))).toEqual([
    '<s>',
    '<|user|>',
    ' What',
    ' is',
    ' ',
    '1',
    '2',
    ' plus',
    ' ',
    '5',
    '?',
    '<|end|>',
    '<|assistant|>',
  ]);
});
