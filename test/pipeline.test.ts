/** `pipeline` as a user of the package calls it, on the embedded model phi3-tiny. */
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Chat,
  type GeneratedChat,
  type GeneratedText,
  pipeline,
  type TextGenerationEnd,
  type TextGenerationOutput,
  type TextGenerationPipeline,
  type TextGenerationStream,
  TextStreamer,
} from '../src/index.node.ts';

const MODEL = 'phi3-tiny';

/** The sample of Phi-3's model card. */
const CARD = [
  { role: 'user', content: 'Can you provide ways to eat combinations of bananas and dragonfruits?' },
  {
    role: 'assistant',
    content:
      'Sure! Here are some ways to eat bananas and dragonfruits together: 1. Banana and dragonfruit smoothie: ' +
      'Blend bananas and dragonfruits together with milk and honey. 2. Banana and dragonfruit salad: Mix sliced ' +
      'bananas and dragonfruits together with lemon juice and honey.',
  },
  { role: 'user', content: 'What about solving an 2x + 3 = 7 equation?' },
];
const CARD_OPTIONS = {
  max_new_tokens: 500,
  return_full_text: false,
  temperature: 0.0,
  do_sample: false,
} as const;

const ASK = [{ role: 'user', content: 'What is the capital of France?' }];

/** Reads a stream to its end. */
async function endOf(stream: TextGenerationStream): Promise<TextGenerationEnd> {
  for (;;) {
    const { value, done } = await stream.next();
    if (done) return value;
  }
}

async function idsOf(stream: TextGenerationStream): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of stream) if (id !== undefined) ids.push(id);
  return ids;
}

let generator: TextGenerationPipeline;
beforeAll(async () => {
  generator = await pipeline('text-generation', MODEL, { context_size: 1024, threads: 1 });
});
afterAll(() => generator?.dispose());

describe('shapes', () => {
  test("the sample of the reference model's card: a list of one answer, which is its text alone", async () => {
    const output = await generator(CARD, CARD_OPTIONS);
    expectTypeOf(output).toEqualTypeOf<GeneratedText[]>();
    expect(output).toEqual([{ generated_text: expect.any(String) }]);
    expect(output[0].generated_text).not.toBe('');
    expect(await generator(CARD, CARD_OPTIONS)).toEqual(output);
  });

  test('a chat comes back with the answer as one more message', async () => {
    const output = await generator(ASK, { max_new_tokens: 8 });
    expectTypeOf(output).toEqualTypeOf<GeneratedChat[]>();
    const [{ generated_text: text }] = await generator(ASK, { max_new_tokens: 8, return_full_text: false });
    expect(output).toEqual([{ generated_text: [...ASK, { role: 'assistant', content: text }] }]);
  });

  test('a text comes back with what follows it', async () => {
    const output = await generator('Once upon a time', { max_new_tokens: 8 });
    expectTypeOf(output).toEqualTypeOf<GeneratedText[]>();
    const [{ generated_text: rest }] = await generator('Once upon a time', {
      max_new_tokens: 8,
      return_full_text: false,
    });
    expect(rest).not.toBe('');
    expect(output).toEqual([{ generated_text: `Once upon a time${rest}` }]);
  });

  test('batches are lists of lists, and each answer is the one that it is alone', async () => {
    const texts = ['Once upon a time', 'The sun'];
    const output = await generator(texts, { max_new_tokens: 6 });
    expectTypeOf(output).toEqualTypeOf<GeneratedText[][]>();
    expect(output).toEqual([
      await generator(texts[0], { max_new_tokens: 6 }),
      await generator(texts[1], { max_new_tokens: 6 }),
    ]);
    const chats = await generator([ASK, CARD], { max_new_tokens: 4 });
    expectTypeOf(chats).toEqualTypeOf<GeneratedChat[][]>();
    expect(chats.map((one) => one[0].generated_text.length)).toEqual([2, 4]);
    expect(await generator([], { max_new_tokens: 4 })).toEqual([]);
  });

  test('several answers to one prompt are drawn with different numbers, the same for the same seed', async () => {
    const options = { do_sample: true, seed: 7, num_return_sequences: 3, max_new_tokens: 12 };
    const output = await generator('Once upon a time', options);
    expect(new Set(output.map(({ generated_text }) => generated_text)).size).toBe(3);
    expect(await generator('Once upon a time', options)).toEqual(output);
  });

  test("transformers.js's documented example runs, and the last message's content is text", async () => {
    const q8 = await pipeline('text-generation', MODEL, { dtype: 'q8', device: 'wasm', context_size: 128 });
    const messages = [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'What is the capital of France?' },
    ];
    const heard: string[] = [];
    const output = await q8(messages, {
      max_new_tokens: 32,
      do_sample: false,
      streamer: new TextStreamer(q8.tokenizer, {
        skip_prompt: true,
        skip_special_tokens: true,
        callback_function: (text) => heard.push(text),
      }),
    });
    const content = output[0].generated_text.at(-1)?.content;
    expectTypeOf<NonNullable<typeof content>>().toEqualTypeOf<string>();
    expect(heard.join('')).toBe(content);
    await q8.dispose();
  });

  test('a backend can be named, and whichever computes says the same', async () => {
    const answers = new Set<string>();
    for (const backend of ['auto', 'reference'] as const) {
      const named = await pipeline('text-generation', MODEL, { dtype: 'bf16', backend, context_size: 64 });
      const [{ generated_text }] = await named('Once upon a time', { max_new_tokens: 6, do_sample: false });
      answers.add(generated_text);
      await named.dispose();
    }
    expect(answers.size).toBe(1);
  });

  test('types follow the input and return_full_text', () => {
    const chat: Chat = ASK;
    const unsure = { return_full_text: Math.random() > 0.5 };
    const either: string | Chat = chat;
    expectTypeOf(() => generator(chat, unsure)).returns.resolves.toEqualTypeOf<TextGenerationOutput>();
    expectTypeOf(() => generator([chat], CARD_OPTIONS)).returns.resolves.toEqualTypeOf<GeneratedText[][]>();
    expectTypeOf(() => generator(either)).returns.resolves.toEqualTypeOf<GeneratedChat[]>();
    // @ts-expect-error a number is neither text nor chat
    expectTypeOf(() => generator(5)).returns.resolves.toEqualTypeOf<TextGenerationOutput>();
    // @ts-expect-error there is no such task
    expectTypeOf(() => pipeline('text-to-speech', MODEL)).toBeFunction();
    // @ts-expect-error there is no such option
    expectTypeOf(() => generator('a', { max_new_token: 5 })).toBeFunction();
  });
});

describe('options', () => {
  test('an unknown one is an error that names the near one', async () => {
    const wrong = { maxNewTokens: 5 } as object;
    await expect(generator('a', wrong)).rejects.toMatchObject({
      kind: 'usage',
      message: 'maxNewTokens is no option of text-generation',
      hint: 'did you mean max_new_tokens?',
    });
    await expect(generator('a', { top_j: 5 } as object)).rejects.toMatchObject({
      hint: expect.stringMatching(/top_[kp]/),
    });
    const refused = (options: object) => expect(pipeline('text-generation', MODEL, options)).rejects;
    await refused({ contextsize: 5 }).toMatchObject({
      message: 'contextsize is no option of pipeline',
      hint: 'did you mean context_size?',
    });
    await refused({ device: 'webgpu' }).toThrow('device: webgpu is none of auto, cpu, wasm');
    await refused({ backend: 'webgl' }).toThrow('backend: webgl is none of auto, native, wasm, reference');
    await refused({ level: 'sse2' }).toThrow('level: sse2 is none of ');
    await refused({ backend: 'wasm', level: 'avx2' }).toThrow('the backend wasm has no levels');
    await refused({ batch_size: 0 }).toThrow('batch_size: 0 is not a whole number from 1');
    await refused({ dtype: 'q3' }).toThrow('dtype: q3 is no type');
  });

  test('one of transformers that is not there is refused, unless it would do nothing', async () => {
    await expect(generator('a', { num_beams: 4 } as object)).rejects.toThrow(
      'num_beams: 4 is not supported; 1 is',
    );
    const [{ generated_text }] = await generator('a', {
      num_beams: 1,
      use_cache: true,
      penalty_alpha: null,
      max_new_tokens: 1,
    } as object as { max_new_tokens: number });
    expect(generated_text.startsWith('a')).toBe(true);
  });

  test('a value of the wrong kind or out of range is refused by name', async () => {
    await expect(generator('a', { max_new_tokens: 1.5 })).rejects.toThrow(
      'max_new_tokens: 1.5 (number) is not a whole number from 0',
    );
    await expect(generator('a', { do_sample: true, top_p: 2 })).rejects.toThrow(
      'top_p: 2 is not a number above 0 to 1',
    );
    await expect(generator('a', { response_format: { type: 'xml' } as never })).rejects.toThrow(
      'response_format: type is "xml"',
    );
  });

  test('max_length counts the prompt, and max_new_tokens comes before it', async () => {
    const prompt = 'Once upon a time';
    const length = generator.tokenizer.encode(prompt, { bos: true }).length;
    const { usage } = await endOf(generator.stream(prompt, { max_length: length + 3 }));
    expect(usage).toMatchObject({ prompt_tokens: length, completion_tokens: 3 });
    const both = await endOf(generator.stream(prompt, { max_length: length + 3, max_new_tokens: 5 }));
    expect(both.usage.completion_tokens).toBe(5);
  });

  test('stop strings, stop tokens and a bias end or bend an answer', async () => {
    const whole = await endOf(generator.stream(ASK, { max_new_tokens: 20 }));
    const stop = whole.generated_text.slice(4, 7);
    const short = await endOf(generator.stream(ASK, { max_new_tokens: 20, stop }));
    expect(short).toMatchObject({
      generated_text: whole.generated_text.slice(0, whole.generated_text.indexOf(stop)),
      finish_reason: 'stop',
    });
    const [first] = await idsOf(generator.stream(ASK, { max_new_tokens: 1 }));
    expect(await idsOf(generator.stream(ASK, { stop_token_ids: [first] }))).toEqual([]);
    for (const bias of [{ suppress_tokens: [first] }, { logit_bias: { [first]: -100 } }]) {
      expect(await idsOf(generator.stream(ASK, { ...bias, max_new_tokens: 1 }))).not.toEqual([first]);
    }
  });

  test('top_p and top_k matter where tokens are drawn', async () => {
    const greedy = await generator('Once upon a time', { max_new_tokens: 10 });
    const drawn = { do_sample: true, seed: 3, temperature: 2, max_new_tokens: 10 };
    for (const narrow of [{ top_p: 1e-9 }, { top_k: 1 }, { min_p: 1 }, { temperature: 0 }]) {
      expect(await generator('Once upon a time', { ...drawn, ...narrow })).toEqual(greedy);
    }
    expect(await generator('Once upon a time', drawn)).not.toEqual(greedy);
  });

  test('an answer follows a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { city: { enum: ['Paris', 'Rome'] }, sure: { type: 'boolean' } },
      required: ['city', 'sure'],
      additionalProperties: false,
    };
    const [{ generated_text: text }] = await generator(ASK, {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
      return_full_text: false,
    });
    expect(['Paris', 'Rome']).toContain(JSON.parse(text).city);
    expect(Object.keys(JSON.parse(text))).toEqual(['city', 'sure']);
  });

  test('a control token in a text is text unless it is asked for', async () => {
    const prompt = '<|user|>';
    const tokens = async (options: object) =>
      (await endOf(generator.stream(prompt, { max_new_tokens: 1, ...options }))).usage.prompt_tokens;
    expect(await tokens({ split_special_tokens: false })).toBeLessThan(await tokens({}));
  });
});

describe('streams', () => {
  test('pieces make up the text that the call returns, and the result says how it ended', async () => {
    const stream = generator.stream(ASK, { max_new_tokens: 12 });
    const pieces: { text: string; id?: number }[] = [];
    for await (const piece of stream) pieces.push(piece);
    const [{ generated_text }] = await generator(ASK, { max_new_tokens: 12, return_full_text: false });
    expect(pieces.map(({ text }) => text).join('')).toBe(generated_text);
    const end = await stream.result;
    expect(end.generated_text).toBe(generated_text);
    expect(end.usage.completion_tokens).toBe(pieces.filter(({ id }) => id !== undefined).length);
  });

  test('log-probabilities come with the tokens where they are asked for', async () => {
    const stream = generator.stream(ASK, { max_new_tokens: 2, logprobs: true, top_logprobs: 2 });
    for await (const { id, logprob, top = [] } of stream) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top).toHaveLength(2);
      expect(top[0]).toEqual({ id, logprob });
    }
  });

  test('leaving the loop ends the answer, and the model goes on with the next', async () => {
    const stream = generator.stream('Once upon a time', { max_new_tokens: 100 });
    for await (const { id } of stream) if (id !== undefined) break;
    expect(await stream.result).toMatchObject({
      finish_reason: 'aborted',
      usage: { completion_tokens: 1 },
    });
    expect(await generator('Once upon a time', { max_new_tokens: 2 })).toHaveLength(1);
  });

  test('a signal ends an answer with what there is, without an error', async () => {
    const controller = new AbortController();
    let tokens = 0;
    const streamer = new TextStreamer(generator.tokenizer, {
      skip_prompt: true,
      callback_function: () => {},
      token_callback_function: () => {
        if (++tokens === 3) controller.abort();
      },
    });
    const options = { streamer, return_full_text: false, max_new_tokens: 50 } as const;
    const [{ generated_text }] = await generator('Once upon a time', {
      ...options,
      signal: controller.signal,
    });
    const [{ generated_text: three }] = await generator('Once upon a time', {
      return_full_text: false,
      max_new_tokens: 3,
    });
    expect(generated_text).toBe(three);
    expect(await generator(ASK, { signal: AbortSignal.abort(), return_full_text: false })).toEqual([
      { generated_text: '' },
    ]);
  });

  test('a TextStreamer hears prompt and answer; the prompt is left out where it is asked to', async () => {
    const heard = async (options: object) => {
      const texts: string[] = [];
      const streamer = new TextStreamer(generator.tokenizer, {
        callback_function: (text) => texts.push(text),
        ...options,
      });
      const [{ generated_text }] = await generator('Once upon a time', { streamer, max_new_tokens: 10 });
      return { text: texts.join(''), whole: generated_text };
    };
    const all = await heard({});
    expect(all.text).toBe(all.whole);
    expect((await heard({ skip_prompt: true })).text).toBe(all.whole.slice('Once upon a time'.length));
    expect((await heard({ skip_special_tokens: false })).text).toContain('Once upon a time');
  });

  test('a streamer and a batch do not go together', async () => {
    const streamer = new TextStreamer(generator.tokenizer);
    await expect(generator(['a', 'b'], { streamer })).rejects.toThrow(
      'streamer: one answer at a time, not 2',
    );
    expect(() => new TextStreamer(generator.tokenizer, { skip_promt: true } as object)).toThrow(
      'skip_promt is no option of TextStreamer',
    );
  });
});

describe('the end', () => {
  test('await using frees the model; a closed pipeline says so', async () => {
    let kept: TextGenerationPipeline;
    {
      await using short = await pipeline('text-generation', MODEL, { context_size: 64, threads: 1 });
      kept = short;
      expect(await short('a', { max_new_tokens: 1 })).toHaveLength(1);
    }
    await expect(kept('a')).rejects.toThrow('the pipeline was disposed of');
    await kept.dispose();
  });

  test('a prompt longer than the context is an error, or shortened where that is asked for', async () => {
    await using short = await pipeline('text-generation', MODEL, { context_size: 64, threads: 1 });
    const long = [
      { role: 'user', content: 'one two three '.repeat(20) },
      { role: 'assistant', content: 'Yes.' },
      ...ASK,
    ];
    await expect(short(long)).rejects.toMatchObject({ kind: 'resources' });
    expect(await short(long, { on_overflow: 'shift', max_new_tokens: 2 })).toHaveLength(1);
  });
});

describe('feature-extraction', () => {
  test('texts become vectors of unit length, the same text the same vector', async () => {
    await using extractor = await pipeline('feature-extraction', MODEL, { context_size: 64, threads: 1 });
    const output = await extractor(['The sun is warm.', 'The sun is warm.', 'Seven']);
    expect(output.dims).toEqual([3, 256]);
    const [a, b, c] = output.tolist();
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    for (const row of [a, c]) expect(Math.hypot(...row)).toBeCloseTo(1, 5);
    const last = await extractor('The sun is warm.', { pooling: 'last' });
    expect(last.dims).toEqual([1, 256]);
    expect(last.tolist()[0]).not.toEqual(a);
    const [free] = (await extractor('The sun is warm.', { normalize: false })).tolist();
    const length = Math.hypot(...free);
    expect(length).toBeGreaterThan(2);
    free.forEach((value, i) => void expect(value / length).toBeCloseTo(a[i], 5));
    await expect(extractor('a', { pooling: 'cls' } as never)).rejects.toThrow(
      'pooling: cls is none of mean, last',
    );
  });
});
