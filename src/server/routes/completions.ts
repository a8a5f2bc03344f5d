/** POST /v1/completions. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { constraintOf, wantedGrammar } from '../answering/grammars.ts';
import { finite, tokenName } from '../answering/logprobs.ts';
import { answerOptions, choicesOf } from '../answering/options.ts';
import { type Job, Run } from '../answering/run.ts';
import { TextChoice, type TextPiece } from '../answering/text-choice.ts';
import { idsOf, listOf, placeOf, promptIds } from '../answering/texts.ts';
import type { TrackedToken } from '../answering/token-track.ts';
import type { ServerEnv } from '../env.ts';
import { invalid } from '../errors.ts';
import {
  type Completion,
  type CompletionChunk,
  type CompletionLogprobs,
  type CompletionRequest,
  completionChunkSchema,
  completionRequestSchema,
  completionSchema,
} from '../schemas/completions.ts';
import { type AppState, plain } from '../state.ts';
import { DONE, frame } from '../stream.ts';
import { answerId, errorResponses, jsonBody, jsonOrEvents, now } from './shared.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/completions',
  operationId: 'createCompletion',
  summary: 'Goes on after a text',
  tags: ['Text'],
  request: { body: jsonBody(completionRequestSchema) },
  responses: {
    200: jsonOrEvents('The answer; with `stream` in chunks.', completionSchema, completionChunkSchema),
    ...errorResponses(400, 401, 404, 413, 415, 429, 500, 503),
  },
});

/** What cannot be done is said, or the answer would be another than the one that was asked for. */
function refuseUnsupported({ best_of, n, echo, logprobs }: CompletionRequest): void {
  if ((best_of ?? 1) > (n ?? 1)) throw invalid('best_of', 'more than n is not supported');
  if (echo && typeof logprobs === 'number') {
    throw invalid('logprobs', 'of the prompt are not known: echo and logprobs do not go together');
  }
}

/** Texts that stand in front of the answers, one a prompt. */
function echoes(request: CompletionRequest, job: Job): readonly string[] {
  const { tokenizer } = job.model.service;
  return listOf(request.prompt).map((prompt) => {
    if (!request.echo) return '';
    return typeof prompt === 'string' ? prompt : tokenizer.decode(prompt, { special: true });
  });
}

/** @throws 400 */
function completionJob(state: AppState, request: CompletionRequest): Job {
  refuseUnsupported(request);
  const model = state.model(request.model);
  const { service } = model;
  const { tokenizer } = service;
  const { settings } = state;
  const texts = listOf(request.prompt);
  const each = choicesOf(request, settings, texts.length);
  const grammar = wantedGrammar(state.grammars, request);
  const limits = { vocabularySize: tokenizer.vocabularySize, maxTokens: request.max_tokens, settings };
  return {
    model,
    prompts: texts.map((text, i) =>
      idsOf(placeOf('prompt', texts, i), text, service, (one) => promptIds(tokenizer, one)),
    ),
    each,
    options: {
      ...answerOptions(request, limits),
      ...(typeof request.logprobs === 'number' ? { logprobs: request.logprobs } : {}),
    },
    seed: request.seed,
    ...(grammar ? { constraint: () => constraintOf('grammar', grammar, tokenizer) } : {}),
    user: request.user,
    stream: request.stream ?? false,
  };
}

function textChoices({ model, prompts, each }: Job, { logprobs }: CompletionRequest): TextChoice[] {
  const tells = typeof logprobs === 'number';
  return prompts.flatMap((ids) =>
    Array.from({ length: each }, () => new TextChoice(model.service.tokenizer, ids, tells)),
  );
}

function logprobsOf({ model }: Job, tokens: readonly TrackedToken[]): CompletionLogprobs {
  const { tokenizer } = model.service;
  return {
    tokens: tokens.map(({ id }) => tokenName(tokenizer, id)),
    token_logprobs: tokens.map(({ logprob }) => finite(logprob)),
    top_logprobs: tokens.map(({ top = [] }) =>
      Object.fromEntries(top.map(({ id, logprob }) => [tokenName(tokenizer, id), finite(logprob)])),
    ),
    text_offset: tokens.map(({ offset }) => offset),
  };
}

/** A choice while it grows. */
interface Growing {
  text: string;
  readonly tokens: TrackedToken[];
  finish: NonNullable<TextPiece['finish']>;
}

async function whole(run: Run, job: Job, request: CompletionRequest): Promise<Completion> {
  const choices = textChoices(job, request);
  const begins = echoes(request, job);
  const growing = choices.map(
    (_, i): Growing => ({ text: begins[Math.floor(i / job.each)], tokens: [], finish: 'stop' }),
  );
  for await (const event of run.events()) {
    const choice = choices[event.index];
    const piece = 'end' in event ? choice.end(event.end) : choice.token(event.token);
    if (!piece) continue;
    const grown = growing[event.index];
    grown.text += piece.text;
    grown.tokens.push(...piece.tokens);
    grown.finish = piece.finish ?? grown.finish;
  }
  return {
    id: answerId('cmpl'),
    object: 'text_completion',
    created: now(),
    model: job.model.id,
    choices: growing.map(({ text, tokens, finish }, index) => ({
      text,
      index,
      logprobs: typeof request.logprobs === 'number' ? logprobsOf(job, tokens) : null,
      finish_reason: finish,
    })),
    usage: run.usage,
  };
}

async function* chunks(run: Run, job: Job, request: CompletionRequest): AsyncGenerator<string, void> {
  const choices = textChoices(job, request);
  const withUsage = request.stream_options?.include_usage === true;
  const head = {
    id: answerId('cmpl'),
    object: 'text_completion',
    created: now(),
    model: job.model.id,
  } as const;
  const usage = withUsage ? { usage: null } : {};
  const chunk = (choice: CompletionChunk['choices'][number]): string =>
    frame({ ...head, choices: [choice], ...usage } satisfies CompletionChunk);
  const begins = echoes(request, job);
  for (const index of choices.keys()) {
    const text = begins[Math.floor(index / job.each)];
    if (text !== '') yield chunk({ text, index, logprobs: null, finish_reason: null });
  }
  for await (const event of run.events()) {
    const { index } = event;
    const piece = 'end' in event ? choices[index].end(event.end) : choices[index].token(event.token);
    if (!piece) continue;
    const { text, tokens, finish } = piece;
    const logprobs = tokens.length > 0 ? logprobsOf(job, tokens) : null;
    yield chunk({ text, index, logprobs, finish_reason: finish });
  }
  if (withUsage) yield frame({ ...head, choices: [], usage: run.usage } satisfies CompletionChunk);
  yield DONE;
}

export function completionRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const job = completionJob(state, request);
    const run = new Run(state, plain(c), job);
    if (job.stream) return run.respond(chunks(run, job, request));
    return c.json(await whole(run, job, request), 200);
  });
}
