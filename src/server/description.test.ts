import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { chunksOf, HELLO, setup } from './testing.cases.ts';

const METHODS = ['get', 'post'];

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
}

/** Every `$ref` inside of a value. */
function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '$ref' ? [String(inner)] : refsIn(inner),
  );
}

async function description() {
  const { body } = await setup({ extras: { version: '1.2.3' } }).get('/openapi.json');
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(body, 'api');
  const check = (schema: string, value: unknown): string => {
    const validate = ajv.compile({ $ref: `api#/components/schemas/${schema}` });
    return validate(value) ? 'valid' : ajv.errorsText(validate.errors);
  };
  return { body, check };
}

describe('GET /openapi.json', () => {
  it('describes every route of the app, and nothing that is not there', async () => {
    const { body } = await description();
    expect(body).toMatchObject({ openapi: '3.1.0', info: { title: 'bitmill', version: '1.2.3' } });
    const described = Object.entries(body.paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method} ${path}`),
    );
    expect(described.sort()).toEqual([
      'get /v1/models',
      'get /v1/models/{model}',
      'post /apply-template',
      'post /detokenize',
      'post /tokenize',
      'post /v1/chat/completions',
      'post /v1/completions',
      'post /v1/embeddings',
    ]);
  });

  it('has an id, a summary, a success and described errors for each of them; every reference leads somewhere', async () => {
    const { body } = await description();
    const paths = Object.values<Record<string, Operation | undefined>>(body.paths);
    const operations = paths.flatMap((item) => METHODS.flatMap((method) => item[method] ?? []));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(operations.length);
    for (const { summary, responses } of operations) {
      expect(summary).toEqual(expect.any(String));
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '401']));
      for (const one of Object.values(responses)) {
        expect(one.description).not.toBe('');
        expect(Object.keys(one.content)).toContain('application/json');
      }
    }
    const names = Object.keys(body.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(refsIn(body).filter((ref) => !names.includes(ref))).toEqual([]);
  });

  it('has schemas that real requests and answers satisfy, and wrong ones do not', async () => {
    const { check } = await description();
    const { post, ask, get } = setup();
    const nulls = { temperature: null, stop: null, overflow: null, tools: null, response_format: null };
    expect(check('ChatCompletionRequest', { ...HELLO, ...nulls, unknown: 1 })).toBe('valid');
    expect(check('ChatCompletionRequest', { ...HELLO, top_p: 2 })).toContain('must be <= 1');
    const chat = { ...HELLO, logprobs: true, top_logprobs: 2 };
    expect(check('ChatCompletion', (await post('/v1/chat/completions', chat)).body)).toBe('valid');
    const stream = { ...chat, stream: true, stream_options: { include_usage: true } };
    for (const chunk of await chunksOf(await ask('/v1/chat/completions', stream))) {
      expect(check('ChatCompletionChunk', chunk)).toBe('valid');
    }
    const text = { prompt: 'a', logprobs: 1, echo: true };
    expect(check('Completion', (await post('/v1/completions', text)).body)).toBe('valid');
    for (const chunk of await chunksOf(await ask('/v1/completions', { ...text, stream: true }))) {
      expect(check('CompletionChunk', chunk)).toBe('valid');
    }
    expect(check('EmbeddingList', (await post('/v1/embeddings', { input: ['a', 'b'] })).body)).toBe('valid');
    expect(check('ModelList', (await get('/v1/models')).body)).toBe('valid');
    expect(check('Error', (await get('/v1/models/none')).body)).toBe('valid');
    const pieces = { content: 'é', with_pieces: true };
    expect(check('Tokens', (await post('/tokenize', pieces)).body)).toBe('valid');
  });

  it('asks for a key where the server does', async () => {
    const open = await setup().get('/openapi.json');
    expect(open.body.security).toBeUndefined();
    const shut = await setup({ settings: { apiKeys: ['k'] } }).get('/openapi.json');
    expect(shut.body.security).toEqual([{ key: [] }]);
    expect(shut.body.components.securitySchemes).toEqual({ key: { type: 'http', scheme: 'bearer' } });
  });
});
