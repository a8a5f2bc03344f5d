/** POST /v1/completions. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { behind, type Echo, echoesOf } from '../answering/echo.ts';
import { constraintOf, wantedGrammar } from '../answering/grammars.ts';
import { completionLogprobs, type PlacedToken } from '../answering/logprobs.ts';
import { answerOptions, choicesOf } from '../answering/options.ts';
import { type Job, Run } from '../answering/run.ts';
import { TextChoice, type TextPiece } from '../answering/text-choice.ts';
import { idsOf, listOf, placeOf, promptIds } from '../answering/texts.ts';
import type { ServerEnv } from '../env.ts';
import { invalid } from '../errors.ts';
import {
  type Completion,
  type CompletionChunk,
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
function refuseUnsupported({ best_of, n }: CompletionRequest): void {
  if ((best_of ?? 1) > (n ?? 1)) throw invalid('best_of', 'more than n is not supported');
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
    constraint: () => grammar && constraintOf('grammar', grammar, tokenizer),
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

/** A choice while it grows. */
interface Growing {
  text: string;
  readonly tokens: PlacedToken[];
  finish: NonNullable<TextPiece['finish']>;
}

/** What a request is answered from. */
interface Answering {
  readonly run: Run;
  readonly job: Job;
  readonly request: CompletionRequest;
  /** By prompt. */
  readonly echoes: readonly Echo[];
}

async function whole({ run, job, request, echoes }: Answering): Promise<Completion> {
  const choices = textChoices(job, request);
  const { tokenizer } = job.model.service;
  const growing = choices.map((_, i): Growing => {
    const { text, tokens } = echoes[Math.floor(i / job.each)];
    return { text, tokens: [...tokens], finish: 'stop' };
  });
  for await (const event of run.events()) {
    const choice = choices[event.index];
    const piece = 'end' in event ? choice.end(event.end) : choice.token(event.token);
    if (!piece) continue;
    const grown = growing[event.index];
    grown.text += piece.text;
    grown.tokens.push(...behind(echoes[Math.floor(event.index / job.each)], piece.tokens));
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
      logprobs: typeof request.logprobs === 'number' ? completionLogprobs(tokenizer, tokens) : null,
      finish_reason: finish,
    })),
    usage: run.usage,
  };
}

async function* chunks({ run, job, request, echoes }: Answering): AsyncGenerator<string, void> {
  const { tokenizer } = job.model.service;
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
  const logprobsOf = (tokens: readonly PlacedToken[]) =>
    tokens.length > 0 ? completionLogprobs(tokenizer, tokens) : null;
  for (const index of choices.keys()) {
    const { text, tokens } = echoes[Math.floor(index / job.each)];
    if (text !== '') yield chunk({ text, index, logprobs: logprobsOf(tokens), finish_reason: null });
  }
  for await (const event of run.events()) {
    const { index } = event;
    const piece = 'end' in event ? choices[index].end(event.end) : choices[index].token(event.token);
    if (!piece) continue;
    const { text, tokens, finish } = piece;
    const logprobs = logprobsOf(behind(echoes[Math.floor(index / job.each)], tokens));
    yield chunk({ text, index, logprobs, finish_reason: finish });
  }
  if (withUsage) yield frame({ ...head, choices: [], usage: run.usage } satisfies CompletionChunk);
  yield DONE;
}

export function completionRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const job = completionJob(state, request);
    const echoes = await echoesOf(plain(c), job, request);
    const run = new Run(state, plain(c), job);
    const answering = { run, job, request, echoes };
    if (job.stream) return run.respond(chunks(answering));
    return c.json(await whole(answering), 200);
  });
}
