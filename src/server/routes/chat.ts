/** POST /v1/chat/completions. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { ToolUse } from '../../generate/index.ts';
import { ChatChoice, type ChatPiece } from '../answering/chat-choice.ts';
import { constraintOf, wantedGrammar } from '../answering/grammars.ts';
import { answerOptions, choicesOf } from '../answering/options.ts';
import { chatPrompt, toolsOf } from '../answering/prompt.ts';
import { type Job, Run } from '../answering/run.ts';
import type { ServerEnv } from '../env.ts';
import { invalid } from '../errors.ts';
import { type ChatRequest, chatRequestSchema } from '../schemas/chat-request.ts';
import {
  type AnsweredToolCall,
  type ChatChunk,
  type ChatCompletion,
  chatChunkSchema,
  chatCompletionSchema,
} from '../schemas/chat-response.ts';
import type { ServedModel } from '../settings.ts';
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

/** What a request is answered from. */
interface Chat {
  readonly job: Job;
  readonly request: ChatRequest;
  readonly use: ToolUse;
}

/** A new constraint for each answer: a form that is asked for, or calls of tools. @throws 400: both. */
function constraintsOf(state: AppState, request: ChatRequest, { service }: ServedModel, use: ToolUse) {
  const grammar = wantedGrammar(state.grammars, request);
  const param = request.grammar ? 'grammar' : 'response_format';
  if (!grammar) return () => use.constraint();
  if (use.format !== undefined) throw invalid(param, 'and tools: one of them, or "tool_choice": "none"');
  return () => constraintOf(param, grammar, service.tokenizer);
}

/** @throws 400 */
function chatOf(state: AppState, request: ChatRequest): Chat {
  const model = state.model(request.model);
  if (request.top_logprobs && !request.logprobs) throw invalid('top_logprobs', 'needs "logprobs": true');
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  const each = choicesOf(request, state.settings);
  const use = toolsOf(model, request);
  const constraint = constraintsOf(state, request, model, use);
  const policy = request.overflow ?? 'error';
  const ids = chatPrompt(model, request, use, { policy, maxTokens: maxTokens ?? undefined });
  const { vocabularySize } = model.service.tokenizer;
  const job: Job = {
    model,
    prompts: [ids],
    each,
    options: {
      ...answerOptions(request, { vocabularySize, maxTokens, settings: state.settings }),
      ...(request.logprobs ? { logprobs: request.top_logprobs ?? 0 } : {}),
    },
    seed: request.seed,
    constraint,
    user: request.user,
    stream: request.stream ?? false,
  };
  return { job, request, use };
}

function chatChoices({ job: { model, prompts, each }, request, use }: Chat): ChatChoice[] {
  const { tokenizer } = model.service;
  const [ids] = prompts;
  const tells = request.logprobs ?? false;
  return Array.from({ length: each }, () => new ChatChoice(tokenizer, ids, tells, use.parser()));
}

type WholeChoice = ChatCompletion['choices'][number];

/** A choice while it grows. */
interface Growing {
  readonly texts: string[];
  readonly calls: AnsweredToolCall[];
  readonly logprobs: NonNullable<WholeChoice['logprobs']>['content'];
  finish: WholeChoice['finish_reason'];
}

function grow(grown: Growing, { delta, logprobs, finish }: ChatPiece): void {
  grown.texts.push(delta.content ?? '');
  for (const { index: _, ...call } of delta.tool_calls ?? []) grown.calls.push(call);
  grown.logprobs.push(...logprobs);
  grown.finish = finish ?? grown.finish;
}

function messageOf({ texts, calls }: Growing): WholeChoice['message'] {
  const content = texts.join('');
  if (calls.length === 0) return { role: 'assistant', content, refusal: null };
  return { role: 'assistant', content: content === '' ? null : content, refusal: null, tool_calls: calls };
}

async function whole(run: Run, chat: Chat): Promise<ChatCompletion> {
  const { request, job } = chat;
  const choices = chatChoices(chat);
  const growing = choices.map((): Growing => ({ texts: [], calls: [], logprobs: [], finish: 'stop' }));
  for await (const event of run.events()) {
    const choice = choices[event.index];
    const piece = 'end' in event ? choice.end(event.end) : choice.token(event.token);
    if (piece) grow(growing[event.index], piece);
  }
  return {
    id: answerId('chatcmpl'),
    object: 'chat.completion',
    created: now(),
    model: job.model.id,
    choices: growing.map((grown, index) => ({
      index,
      message: messageOf(grown),
      logprobs: request.logprobs ? { content: grown.logprobs, refusal: null } : null,
      finish_reason: grown.finish,
    })),
    usage: run.usage,
  };
}

async function* chunks(run: Run, chat: Chat): AsyncGenerator<string, void> {
  const { request, job } = chat;
  const choices = chatChoices(chat);
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
    const chat = chatOf(state, c.req.valid('json'));
    const run = new Run(state, plain(c), chat.job);
    if (chat.job.stream) return run.respond(chunks(run, chat));
    return c.json(await whole(run, chat), 200);
  });
}
