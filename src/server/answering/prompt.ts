/** Messages of a request as the ids of a prompt, through the model's own template. */
import { BitmillError } from '../../core/index.ts';
import { fitChat, type ModelService, type OverflowPolicy } from '../../generate/index.ts';
import type { ChatMessage, ChatTemplate } from '../../text/index.ts';
import { ApiError, apiError, CONTEXT_EXCEEDED, invalid } from '../errors.ts';
import type { RequestMessage, RequestTool } from '../schemas/chat-request.ts';
import type { ServedModel } from '../settings.ts';

/** Variables of a template that are the server's: a request does not set them by another name. */
const OWN_VARIABLES = new Set([
  'messages',
  'tools',
  'add_generation_prompt',
  'bos_token',
  'eos_token',
  'pad_token',
  'raise_exception',
  'range',
]);

export interface PromptRequest {
  readonly messages: readonly RequestMessage[];
  readonly tools?: readonly RequestTool[] | null | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
}

type Content = RequestMessage['content'];

/** Parts are lines, as in other servers: templates know strings only. */
function textOf(content: Content): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : part.refusal)).join('\n');
}

/** Templates write arguments out themselves, so they get the object. */
function parsedArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A message as templates know it. */
function templateMessage(message: RequestMessage): ChatMessage {
  const base = {
    role: message.role === 'developer' ? 'system' : message.role,
    content: textOf(message.content),
  };
  if (message.role === 'tool') return { ...base, tool_call_id: message.tool_call_id };
  if (message.role !== 'assistant' || !message.tool_calls?.length) return base;
  const calls = message.tool_calls.map(({ id, type, function: { name, arguments: text } }) => ({
    id,
    type,
    function: { name, arguments: parsedArguments(text) },
  }));
  return { ...base, tool_calls: calls };
}

export function templateMessages(messages: readonly RequestMessage[]): ChatMessage[] {
  return messages.map(templateMessage);
}

/** @throws 400: the file has none. */
export function templateOf({ id, service }: ServedModel): ChatTemplate {
  if (service.template) return service.template;
  throw new ApiError(400, `model: ${id} has no chat template; /v1/completions takes plain text`, {
    param: 'model',
    code: 'no_chat_template',
  });
}

export function templateVariables(request: PromptRequest): Readonly<Record<string, unknown>> {
  const variables = request.chat_template_kwargs ?? {};
  const own = Object.keys(variables).find((name) => OWN_VARIABLES.has(name));
  if (own !== undefined) throw invalid('chat_template_kwargs', `${own} is not for requests to set`);
  return request.tools?.length ? { ...variables, tools: request.tools } : variables;
}

/** The overflow of a chat under the name that clients know; what the template refuses, as the messages' fault. */
function promptError(error: unknown, policy: OverflowPolicy): ApiError {
  if (error instanceof BitmillError && error.kind === 'resources') {
    const advice = policy === 'error' ? '; "overflow": "shift" or "truncate" would make it shorter' : '';
    return new ApiError(400, `${error.message}${advice}`, {
      param: 'messages',
      code: CONTEXT_EXCEEDED,
      cause: error,
    });
  }
  const { status, message } = apiError(error);
  return status === 400 ? new ApiError(400, message, { param: 'messages', cause: error }) : apiError(error);
}

export interface FitLimits {
  readonly policy: OverflowPolicy;
  readonly maxTokens: number | undefined;
}

/** @throws 400: the template refuses the messages, or they do not fit the context. */
export function chatPrompt(model: ServedModel, request: PromptRequest, limits: FitLimits): Int32Array {
  const template = templateOf(model);
  const variables = templateVariables(request);
  const { contextSize }: ModelService = model.service;
  try {
    const encode = (messages: readonly ChatMessage[]) =>
      template.encode(messages, { generationPrompt: true, variables });
    return fitChat(templateMessages(request.messages), encode, { ...limits, contextSize }).ids;
  } catch (error) {
    throw promptError(error, limits.policy);
  }
}
