/** `bitmill exam` as a user runs it: a model that says words of c, d and e, scores, wrong answers, errors in one line. */
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openGguf } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-exam-'));
const at = (name: string): string => path.join(ROOT, name);
afterAll(() => rmSync(ROOT, { recursive: true }));

const [MODEL, EXAM] = [at('tiny.gguf'), at('exam.jsonl')];
const RUN = ['exam', '--threads', '1', '-m', MODEL];
const TEMPLATE =
  "{% for m in messages %}{{ '<|endoftext|>\n' + m['content'] + '<|user|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|endoftext|>\n' }}{% endif %}";
/** c, d, e and <|user|>, which ends turns here. */
const SPOKEN = [265, 266, 267, 269];

/** Only `SPOKEN` are ever likely: the rows of the others become zero. */
async function silence(model: string): Promise<void> {
  const file = await openGguf(model);
  const tensor = file.find('output.weight');
  if (!tensor) throw new Error('no output matrix');
  const weights = new Float32Array((await file.read(tensor)).buffer);
  const [cols] = tensor.shape;
  const kept = weights.map((weight, i) => (SPOKEN.includes(Math.floor(i / cols)) ? weight : 0));
  await file.close();
  writeSync(openSync(model, 'r+'), new Uint8Array(kept.buffer), 0, undefined, tensor.offset);
}

const line = (question: string, answer: string, category = 'words'): string =>
  `${JSON.stringify({ category, question, answer })}\n`;

beforeAll(async () => {
  cpSync(fileURLToPath(new URL('fixtures/tiny-models/phi3/', import.meta.url)), at('phi3'), {
    recursive: true,
  });
  const config = at('phi3/tokenizer_config.json');
  const json = JSON.parse(readFileSync(config, 'utf8')) as object;
  writeFileSync(config, JSON.stringify({ ...json, chat_template: TEMPLATE }));
  expect(bitmill(['convert', at('phi3'), '-o', MODEL, '--dtype', 'f32']).code).toBe(0);
  await silence(MODEL);
  writeFileSync(EXAM, Array.from({ length: 40 }, (_, i) => line(`${i} is what?`, 'ccc')).join(''));
});

interface Answers {
  readonly right: number;
  readonly total: number;
  readonly share: number;
  readonly share_se: number;
  readonly categories: unknown;
  readonly wrong: readonly Readonly<
    Record<'question' | 'expected' | 'said' | 'category', string> & { line: number }
  >[];
}

function json(...args: readonly string[]): Answers {
  const { code, stdout, stderr } = bitmill([...RUN, ...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Answers;
}

test('what a model says to questions is what it is right about', () => {
  const first = json(EXAM, '--wrong');
  expect(first).toMatchObject({ right: 0, total: 40, share: 0 });
  const said = first.wrong.filter(({ said }) => /^[cde]+$/.test(said));
  expect(said.length).toBeGreaterThan(3);
  const known = at('known.jsonl');
  const lines = said.map(({ question, said }) => line(question, said));
  writeFileSync(known, [...lines, line('And now?', 'ddd', 'more')].join(''));
  expect(json(known, '--wrong')).toMatchObject({
    exam: 'known.jsonl',
    right: said.length,
    total: said.length + 1,
    categories: {
      words: { right: said.length, total: said.length, share: 1, share_se: 0 },
      more: { right: 0, total: 1, share: 0, share_se: null },
    },
    wrong: [{ line: said.length + 1, category: 'more', question: 'And now?', expected: 'ddd' }],
  });
});

test('a table by category, and wrong answers on request', () => {
  const { code, stdout, stderr } = bitmill([...RUN, EXAM]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(
    '       right  of  share  error\nwords      0  40  0.0 %  ± 0.0\nall        0  40  0.0 %  ± 0.0\n',
  );
  expect(bitmill([...RUN, EXAM, '--wrong']).stdout).toMatch(
    /\n\nexam\.jsonl:40 {2}"39 is what\?"\n {2}expected "ccc"\n {2}said {5}".+"\n$/,
  );
});

test('a model that is streamed gives the same marks; of wrong answers it tells the beginning', () => {
  const { code, stderr } = bitmill([...RUN, EXAM, '--wrong', '--memory', '1M']);
  expect({ code, stderr }).toEqual({
    code: 5,
    stderr: expect.stringMatching(/needs at least \d+ bytes/) as string,
  });
  const memory = ['--memory', /at least (\d+)/.exec(stderr)?.[1] ?? ''];
  const { wrong, ...marks } = json(EXAM, '--wrong');
  const { wrong: begun, ...streamed } = json(EXAM, '--wrong', ...memory);
  expect(streamed).toEqual(marks);
  begun.forEach(({ said }, i) => {
    expect(said.endsWith('…')).toBe(true);
    expect(wrong[i].said.startsWith(said.slice(0, -1))).toBe(true);
  });
});

test.each<[string, () => readonly string[], number, string]>([
  ['no exam', () => RUN, 2, "missing required argument 'file'"],
  ['no file', () => [...RUN, at('none')], 3, 'no such file'],
  ['a line that is no question', () => [...RUN, at('bad.jsonl')], 3, 'bad.jsonl:2: "answer" is missing'],
])('%s is told in one line', (_, args, code, message) => {
  writeFileSync(at('bad.jsonl'), `${line('a', 'b')}{"category": "x", "question": "c"}\n`);
  const result = bitmill(args());
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toContain(message);
});
