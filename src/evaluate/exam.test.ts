/**
 * Exams against plain greedy decoding, token by token through a session: on a tiny random model whose output matrix
 * knows only the letters c, d, e and the end of a turn, so that it answers in words.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { type Backend, referenceBackend, wasmBackend } from '../backends/index.ts';
import { Engine, Session } from '../generate/index.ts';
import { type GgufFile, str } from '../gguf/index.ts';
import { type Tokenizer, tokenizerOf } from '../text/index.ts';
import { type AskedQuestion, askedQuestions, type Exam, examContext, saidAnswer, takeExam } from './index.ts';

/** The control token <|user|> takes the part of <|end|>: what ends a turn is the template's choice, not a name's. */
const TEMPLATE =
  "{{ bos_token }}{% for m in messages %}{{ '<|endoftext|>' + m['role'] + '\n' + m['content'] + '<|user|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|endoftext|>assistant\n' }}{% endif %}";
const END = 269;
const SPOKEN = [265, 266, 267, END];
const CONTEXT = 64;

function withTemplate(file: GgufFile, template: string): GgufFile {
  return { ...file, metadata: new Map([...file.metadata, ['tokenizer.chat_template', str(template)]]) };
}

/** The model with an output matrix that is zero but for `SPOKEN`: other tokens have logit 0. */
function spoken(file: GgufFile): GgufFile {
  return {
    ...file,
    read: async (tensor, offset = 0, length = tensor.bytes - offset) => {
      const bytes = await file.read(tensor, offset, length);
      if (tensor.name !== 'output.weight') return bytes;
      const [cols] = tensor.shape;
      const weights = new Float32Array(bytes.buffer, bytes.byteOffset, length / 4);
      return new Uint8Array(
        weights.map((weight, i) => (SPOKEN.includes(Math.floor((offset / 4 + i) / cols)) ? weight : 0))
          .buffer,
      );
    },
  };
}

const examOf = (pairs: readonly (readonly [string, string])[]): Exam => ({
  place: 'exam.jsonl',
  questions: pairs.map(([question, answer], i) => ({
    line: i + 1,
    category: i % 2 === 0 ? 'even' : 'odd',
    question,
    answer,
  })),
});

const QUESTIONS = Array.from({ length: 60 }, (_, i) => `${'abcdef'[i % 6]}${i.toString(7)} is what?`);

const BACKENDS: Record<string, () => Promise<Backend>> = {
  reference: async () => referenceBackend(),
  wasm: () => wasmBackend(),
};

let file: GgufFile;
let tokenizer: Tokenizer;
beforeAll(async () => {
  file = withTemplate(spoken(await openTinyModel('phi3')), TEMPLATE);
  tokenizer = tokenizerOf(file);
});

async function withEngine<T>(
  use: (engine: Engine) => Promise<T>,
  { backend = 'reference', model = file, contextSize = CONTEXT, batch = 512, memory = 1e12 } = {},
): Promise<T> {
  const opened = await BACKENDS[backend]();
  const engine = await Engine.open(model, { backend: opened, contextSize, cacheType: 'f32', batch, memory });
  try {
    return await use(engine);
  } finally {
    engine.close();
    await opened.close();
  }
}

/** What plain greedy decoding says to each question, at most 12 tokens, the end of the turn among them. */
async function greedy(engine: Engine, asked: readonly AskedQuestion[]): Promise<number[][]> {
  const session = await Session.open(engine);
  const all: number[][] = [];
  for (const { prompt } of asked) {
    session.rewind(0);
    let logits = await session.feed(prompt);
    const said: number[] = [];
    while (said.length < 12) {
      const id = logits.indexOf(Math.max(...logits));
      said.push(id);
      if (id === END) break;
      logits = await session.feed(Int32Array.of(id));
    }
    all.push(said);
  }
  session.close();
  return all;
}

/** The questions to which the model says a word and ends, with that word. */
async function knownAnswers(engine: Engine): Promise<[string, string][]> {
  const exam = examOf(QUESTIONS.map((question) => [question, 'c']));
  const said = await greedy(engine, askedQuestions(file, exam));
  return said.flatMap((ids, i): [string, string][] => {
    const word = tokenizer.decode(ids.slice(0, -1), { start: false });
    return ids.length > 1 && ids.at(-1) === END && ids.every((id) => SPOKEN.includes(id))
      ? [[QUESTIONS[i], word]]
      : [];
  });
}

describe.each(Object.keys(BACKENDS))('%s', (backend) => {
  test('answers that greedy decoding gives are right, changed ones are not', async () => {
    await withEngine(
      async (engine) => {
        const known = await knownAnswers(engine);
        expect(known.length).toBeGreaterThan(5);
        const all = { right: known.length, total: known.length };
        expect(await takeExam(engine, examOf(known))).toMatchObject(all);
        for (const change of [(word: string) => `${word}c`, (word: string) => word.slice(0, -1) || 'ccc']) {
          const changed = known.map(([question, word]): [string, string] => [question, change(word)]);
          expect(await takeExam(engine, examOf(changed))).toMatchObject({ ...all, right: 0 });
        }
      },
      { backend },
    );
  });

  test('the first wrong token is where greedy decoding leaves the answer, and what it says there', async () => {
    await withEngine(
      async (engine) => {
        const exam = examOf(QUESTIONS.map((question, i) => [question, 'cdeedc'.slice(i % 5)]));
        const asked = askedQuestions(file, exam);
        const said = await greedy(engine, asked);
        const expected = asked.map(({ answer }, i) => {
          const at = answer.findIndex((id, place) => said[i][place] !== id);
          return at < 0
            ? { right: true, wrongAt: undefined, wrongToken: undefined }
            : { right: false, wrongAt: at, wrongToken: said[i][at] };
        });
        expect(new Set(expected.map(({ wrongAt }) => wrongAt)).size).toBeGreaterThan(2);
        expect((await takeExam(engine, exam)).answers).toEqual(expected);
      },
      { backend },
    );
  });
});

test('a model in parts, or layer by layer, gives the same marks', async () => {
  const exam = examOf(QUESTIONS.slice(15, 35).map((question) => [question, 'eec']));
  const whole = await withEngine((engine) => takeExam(engine, exam));
  expect(whole.right).toBeGreaterThan(0);
  expect(await withEngine((engine) => takeExam(engine, exam), { batch: 8 })).toEqual(whole);
  const streamed = await withEngine(
    async (engine) => {
      expect(engine.resident).toBe(false);
      return takeExam(engine, exam);
    },
    { memory: await withEngine(async (engine) => engine.streamingBytes() + 1000) },
  );
  expect(streamed).toEqual(whole);
});

test('of equally likely tokens the lowest id is what is said', async () => {
  const silent = {
    ...file,
    read: async (...args: Parameters<GgufFile['read']>) => (await file.read(...args)).fill(0),
  };
  const exam = examOf([['a', 'c']]);
  for (const backend of Object.keys(BACKENDS)) {
    const { answers } = await withEngine((engine) => takeExam(engine, exam), { backend, model: silent });
    expect(answers).toEqual([{ right: false, wrongAt: 0, wrongToken: 0 }]);
  }
});

test('scores by category, progress in tokens', async () => {
  const told: (readonly [number, number])[] = [];
  const progress = (done: number, total: number) => void told.push([done, total]);
  const exam = examOf([
    ['d3 is what?', 'eeec'],
    ['a33 is what?', 'ec'],
    ['d30 is what?', 'eec'],
  ]);
  const result = await withEngine((engine) => takeExam(engine, exam, { progress }));
  expect(result).toMatchObject({
    right: 2,
    total: 3,
    categories: { even: { right: 2, total: 2 }, odd: { right: 0, total: 1 } },
  });
  const tokens = askedQuestions(file, exam).map(({ prompt, answer }) => prompt.length + answer.length - 1);
  const total = tokens.reduce((sum, count) => sum + count, 0);
  expect(told).toEqual([
    [tokens[0], total],
    [tokens[0] + tokens[1], total],
    [total, total],
  ]);
});

test('what is said to a question: greedy, up to the end of the turn or so many tokens', async () => {
  const [asked] = askedQuestions(file, examOf([['d3 is what?', 'c']]));
  await withEngine(async (engine) => {
    const session = await Session.open(engine);
    const said = async (most: number) => {
      const { tokens, ended } = await saidAnswer(session, asked, tokenizer, most);
      return [tokenizer.decode(tokens, { start: false }), ended];
    };
    expect(await said(12)).toEqual(['eeec', true]);
    expect(await said(2)).toEqual(['ee', false]);
    session.close();
  });
});

test('a question that does not fit the context is named with its line; examContext says what is needed', async () => {
  const exam = examOf([
    ['a', 'c'],
    ['a'.repeat(20), 'c'],
  ]);
  const needed = examContext(file, exam);
  await expect(withEngine((engine) => takeExam(engine, exam), { contextSize: needed - 2 })).rejects.toThrow(
    `exam.jsonl:2: takes ${needed - 1} tokens; the context has ${needed - 2}`,
  );
  const { total } = await withEngine((engine) => takeExam(engine, exam), { contextSize: needed });
  expect(total).toBe(2);
});

test('logits that are not finite are an input error that says where they begin', async () => {
  const broken = {
    ...file,
    read: async (...args: Parameters<GgufFile['read']>) => {
      const bytes = await file.read(...args);
      if (args[0].name === 'blk.1.ffn_down.weight') new Float32Array(bytes.buffer)[0] = Number.NaN;
      return bytes;
    },
  };
  const exam = examOf([['a', 'c']]);
  await expect(withEngine((engine) => takeExam(engine, exam), { model: broken })).rejects.toThrow(
    'the output of blk.1 for token 0 is NaN: it must be finite',
  );
});
