/** `bitmill template` as a user runs it, on vocabularies made here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bool, f32s, type GgufValue, i32s, layoutGguf, str, strings } from '../src/gguf/index.ts';
import { TEMPLATES } from '../src/text/templates.cases.ts';
import { bitmill } from './cli.ts';

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-template-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

function gguf(name: string, template: string | undefined): string {
  const file = path.join(FOLDER, name);
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', str('llama')],
    ['tokenizer.ggml.model', str('llama')],
    ['tokenizer.ggml.tokens', strings(['<unk>', '<s>', '</s>', '<|user|>', '<|end|>', '▁', 'a', '▁a'])],
    ['tokenizer.ggml.scores', f32s([0, 0, 0, 0, 0, -2, -3, -1])],
    ['tokenizer.ggml.token_type', i32s([2, 3, 3, 3, 3, 1, 1, 1])],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.add_bos_token', bool(true)],
  ]);
  if (template !== undefined) metadata.set('tokenizer.chat_template', str(template));
  writeFileSync(file, layoutGguf({ metadata, tensors: [] }).header);
  return file;
}

const SOURCE =
  '{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}';
const MODEL = gguf('model.gguf', SOURCE);

const run = (args: readonly string[], input = '') => bitmill(['template', ...args], {}, input);
const printed = (...args: string[]) => run(args).stdout;

test('renders a prompt, with what the system says first, and what opens the answer', () => {
  expect(printed('-m', MODEL, '-p', 'a')).toBe('<|user|>a<|end|><|assistant|>\n');
  expect(printed('-m', MODEL, '-p', 'a', '--system', 'S', '--no-generation-prompt')).toBe(
    '<|system|>S<|end|><|user|>a<|end|>\n',
  );
});

test('renders a chat from a file or stdin', () => {
  const chat = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const file = path.join(FOLDER, 'chat.json');
  writeFileSync(file, JSON.stringify(chat));
  const expected = '<|user|>a<|end|><|assistant|>b<|end|>\n';
  expect(printed('-m', MODEL, '--messages', file, '--no-generation-prompt')).toBe(expected);
  const { stdout } = run(
    ['-m', MODEL, '--messages', '-', '--no-generation-prompt'],
    JSON.stringify({ messages: chat }),
  );
  expect(stdout).toBe(expected);
});

test('shows the template itself', () => {
  expect(printed('-m', MODEL, '--show')).toBe(`${SOURCE}\n`);
  expect(JSON.parse(printed('-m', MODEL, '--show', '--json'))).toEqual({ model: MODEL, template: SOURCE });
});

test('shows the tokens that the model is fed: BOS in front, control tokens where the template wrote them alone', () => {
  const lines = printed('-m', MODEL, '-p', 'a<|end|>', '--tokens', '--no-generation-prompt').split('\n');
  const ids = lines.filter((line) => line !== '').map((line) => Number(line.trim().split(' ')[0]));
  expect(ids.slice(0, 2)).toEqual([1, 3]);
  expect(ids.filter((id) => id === 4)).toEqual([4]);
  expect(ids.at(-1)).toBe(4);
  const { tokens } = JSON.parse(
    printed('-m', MODEL, '-p', 'a', '--tokens', '--json', '--no-generation-prompt'),
  ) as {
    tokens: unknown;
  };
  expect(tokens).toEqual([
    { id: 1, text: '<s>' },
    { id: 3, text: '<|user|>' },
    { id: 7, text: ' a' },
    { id: 4, text: '<|end|>' },
  ]);
});

test('hands tools to the template', () => {
  const tools = path.join(FOLDER, 'tools.json');
  writeFileSync(tools, JSON.stringify([{ type: 'function', function: { name: 'weather' } }]));
  const text = printed('-m', gguf('hermes.gguf', TEMPLATES.hermes), '-p', 'a', '--tools', tools);
  expect(text).toContain('<tools>\n{"type": "function", "function": {"name": "weather"}}\n</tools>');
});

test('says what is wrong, with the exit code of its kind', () => {
  const loop = gguf(
    'loop.gguf',
    '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}',
  );
  const none = gguf('none.gguf', undefined);
  for (const [args, code, message] of [
    [['-m', MODEL], 2, 'there is no chat'],
    [['-m', MODEL, '-p', 'a', '--messages', 'x'], 2, 'one of them'],
    [['-m', MODEL, '-p', 'a', '--show'], 2, '--show prints the template itself'],
    [['-m', MODEL, '--messages', '-'], 3, 'stdin: --messages: is no JSON'],
    [['-m', MODEL, '-p', 'a', '--tools', '-'], 3, 'is no JSON'],
    [['-m', none, '-p', 'a'], 3, 'has no chat template'],
    [['-m', loop, '-p', 'a'], 3, `loop.gguf: chat template: fails: it takes more steps than a chat needs`],
  ] as const) {
    const result = run(args);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toContain(message);
  }
});
