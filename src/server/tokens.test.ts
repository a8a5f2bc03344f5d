import { describe, expect, it } from 'vitest';
import { byteTokenizer } from '../../test/fake-service.ts';
import { setup } from './testing.cases.ts';

describe('POST /v1/embeddings', () => {
  /** What the scripted model makes of ids. */
  const vectorOf = (...ids: number[]) => {
    const vector = [ids.length, ids[0], ids[ids.length - 1], 1];
    return vector.map((value) => expect.closeTo(value / Math.hypot(...vector), 5));
  };

  it('gives a vector for each text, in order', async () => {
    const { body, status } = await setup().post('/v1/embeddings', { input: ['ab', 'c'] });
    expect(status).toBe(200);
    expect(body).toEqual({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: vectorOf(256, 97, 98) },
        { object: 'embedding', index: 1, embedding: vectorOf(256, 99) },
      ],
      model: 'fake',
      usage: { prompt_tokens: 5, total_tokens: 5 },
    });
  });

  it('writes f32 in little-endian base64 on request', async () => {
    const { body } = await setup().post('/v1/embeddings', { input: [97, 98], encoding_format: 'base64' });
    const bytes = Buffer.from(body.data[0].embedding, 'base64');
    const numbers = [0, 4, 8, 12].map((at) => bytes.readFloatLE(at));
    expect(numbers).toEqual(vectorOf(97, 98));
  });

  it('keeps many inputs in order, no more at once than there are slots', async () => {
    const { post } = setup({ fake: { slots: 2 } });
    const input = Array.from({ length: 40 }, (_, i) => [i + 1]);
    const { body } = await post('/v1/embeddings', { input, pooling: 'last' });
    expect(
      body.data.map(({ embedding }: { embedding: number[] }) => Math.round(embedding[1] / embedding[0])),
    ).toEqual(input.map(([id]) => id));
  });

  it('refuses empty inputs, long ones and other widths', async () => {
    const { post } = setup({ fake: { contextSize: 10 } });
    const ask = async (request: object) => (await post('/v1/embeddings', request)).body.error;
    expect(await ask({ input: [[]] })).toMatchObject({ param: 'input[0]' });
    expect(await ask({ input: ['a', 'x'.repeat(10)] })).toMatchObject({
      param: 'input[1]',
      message: 'input[1]: 11 tokens; the context of this model holds 10',
      code: 'context_length_exceeded',
    });
    expect(await ask({ input: 'a', dimensions: 2 })).toMatchObject({ param: 'dimensions' });
    expect((await post('/v1/embeddings', { input: 'a', dimensions: 4 })).status).toBe(200);
  });
});

describe('GET /v1/models', () => {
  const card = {
    id: 'fake',
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'bitmill',
    context_size: 4096,
    embedding_size: 4,
    vocabulary_size: byteTokenizer.vocabularySize,
    chat: true,
    file_type: 'Q4_K_M',
    size: 5,
  };

  it('lists the models, with what a picker shows of them; one by its id', async () => {
    const { get } = setup();
    expect((await get('/v1/models')).body).toEqual({ object: 'list', data: [card] });
    expect((await get('/v1/models/fake')).body).toEqual(card);
    expect((await get('/v1/models/%66ake')).body).toEqual(card);
  });
});

describe('tokens', () => {
  it('of a text and back', async () => {
    const { post } = setup();
    const content = 'aé<|end|>';
    const { body } = await post('/tokenize', { content, add_special: true });
    expect(body).toEqual({ tokens: [256, 97, 0xc3, 0xa9, 262] });
    expect((await post('/detokenize', body)).body).toEqual({ content: `<s>${content}` });
    const plain = await post('/tokenize', { content: '<s>', parse_special: false });
    expect(plain.body).toEqual({ tokens: [60, 115, 62] });
  });

  it('with their texts, or their bytes where these are no text', async () => {
    const { body } = await setup().post('/tokenize', { content: 'aé<s>', with_pieces: true });
    expect(body).toEqual({
      tokens: [
        { id: 97, piece: 'a' },
        { id: 0xc3, piece: [0xc3] },
        { id: 0xa9, piece: [0xa9] },
        { id: 256, piece: '<s>' },
      ],
    });
  });

  it('that do not exist are refused', async () => {
    const { body } = await setup().post('/detokenize', { tokens: [1, 9999] });
    expect(body.error).toMatchObject({ param: 'tokens[1]' });
  });

  it('of a chat: its template as text', async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const { post } = setup();
    const { body } = await post('/apply-template', { messages });
    expect(body).toEqual({ prompt: '<|user|>Hi<|end|><|assistant|>' });
    const closed = await post('/apply-template', { messages, add_generation_prompt: false });
    expect(closed.body).toEqual({ prompt: '<|user|>Hi<|end|>' });
  });
});
