/** POST /v1/chat/completions. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { ChatChoice } from '../answering/chat-choice.ts';
import { constraintOf, wantedGrammar } from '../answering/grammars.ts';
import { answerOptions, choicesOf } from '../answering/options.ts';
import { chatPrompt } from '../answering/prompt.ts';
import { type Job, Run } from '../answering/run.ts';
import type { ServerEnv } from '../env.ts';
import { type ChatRequest, chatRequestSchema } from '../schemas/chat-request.ts';
import {
  type ChatChunk,
  type ChatCompletion,
  chatChunkSchema,
  chatCompletionSchema,
} from '../schemas/chat-response.ts';
import { type AppState, plain } from '../state.ts';
import { DONE, frame } from '../stream.ts';
import { answerId, errorResponses, jsonBody, jsonOrEvents, now } from './shared.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  operationId: 'createChatCompletion',
  summary: 'Answers a chat',
  tags: ['Text'],
  request: { body: jsonBody(chatRequestSchema) },
  responses: {
    200: jsonOrEvents('The answer; with `stream` in chunks.', chatCompletionSchema, chatChunkSchema),
    ...errorResponses(400, 401, 404, 413, 415, 429, 500, 503),
  },
});

/** What is asked of the model. @throws 400 */
function chatJob(state: AppState, request: ChatRequest): Job {
  const model = state.model(request.model);
  const { service } = model;
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  const each = choicesOf(request, state.settings);
  const grammar = wantedGrammar(state.grammars, request);
  const policy = request.overflow ?? 'error';
  const ids = chatPrompt(model, request, { policy, maxTokens: maxTokens ?? undefined });
  const limits = { vocabularySize: service.tokenizer.vocabularySize, maxTokens, settings: state.settings };
  return {
    model,
    prompts: [ids],
    each,
    options: {
      ...answerOptions(request, limits),
      ...(request.logprobs ? { logprobs: request.top_logprobs ?? 0 } : {}),
    },
    seed: request.seed,
    ...(grammar ? { constraint: () => constraintOf('response_format', grammar, service.tokenizer) } : {}),
    user: request.user,
    stream: request.stream ?? false,
  };
}

/** One answer of each kind for every index. */
function chatChoices({ model, prompts: [ids], each }: Job, request: ChatRequest): ChatChoice[] {
  const { tokenizer } = model.service;
  return Array.from({ length: each }, () => new ChatChoice(tokenizer, ids, request.logprobs ?? false));
}

type WholeChoice = ChatCompletion['choices'][number];

/** A choice while it grows. */
interface Growing {
  readonly texts: string[];
  readonly logprobs: NonNullable<WholeChoice['logprobs']>['content'];
  finish: WholeChoice['finish_reason'];
}

async function whole(run: Run, job: Job, request: ChatRequest): Promise<ChatCompletion> {
  const choices = chatChoices(job, request);
  const growing = choices.map((): Growing => ({ texts: [], logprobs: [], finish: 'stop' }));
  for await (const event of run.events()) {
    const choice = choices[event.index];
    const grown = growing[event.index];
    const piece = 'end' in event ? choice.end(event.end) : choice.token(event.token);
    if (!piece) continue;
    grown.texts.push(piece.delta.content ?? '');
    grown.logprobs.push(...piece.logprobs);
    grown.finish = piece.finish ?? grown.finish;
  }
  return {
    id: answerId('chatcmpl'),
    object: 'chat.completion',
    created: now(),
    model: job.model.id,
    choices: growing.map(({ texts, logprobs, finish }, index) => ({
      index,
      message: { role: 'assistant', content: texts.join(''), refusal: null },
      logprobs: request.logprobs ? { content: logprobs, refusal: null } : null,
      finish_reason: finish,
    })),
    usage: run.usage,
  };
}

async function* chunks(run: Run, job: Job, request: ChatRequest): AsyncGenerator<string, void> {
  const choices = chatChoices(job, request);
  const withUsage = request.stream_options?.include_usage === true;
  const head = {
    id: answerId('chatcmpl'),
    object: 'chat.completion.chunk',
    created: now(),
    model: job.model.id,
  } as const;
  const usage = withUsage ? { usage: null } : {};
  const chunk = (choice: ChatChunk['choices'][number]): string =>
    frame({ ...head, choices: [choice], ...usage } satisfies ChatChunk);
  for (let index = 0; index < job.each; index++) {
    yield chunk({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null });
  }
  for await (const event of run.events()) {
    const { index } = event;
    const piece = 'end' in event ? choices[index].end(event.end) : choices[index].token(event.token);
    if (!piece) continue;
    const logprobs = piece.logprobs.length > 0 ? { content: [...piece.logprobs], refusal: null } : null;
    yield chunk({ index, delta: piece.delta, logprobs, finish_reason: piece.finish });
  }
  if (withUsage) yield frame({ ...head, choices: [], usage: run.usage } satisfies ChatChunk);
  yield DONE;
}

export function chatRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const job = chatJob(state, request);
    const run = new Run(state, plain(c), job);
    if (job.stream) return run.respond(chunks(run, job, request));
    return c.json(await whole(run, job, request), 200);
  });
}
