/** Messages of a request as the ids of a prompt, through the model's own template. */
import { BitmillError } from '../../core/index.ts';
import { fitChat, type OverflowPolicy, type ToolUse, toolUse } from '../../generate/index.ts';
import type { ChatMessage, ChatTemplate } from '../../text/index.ts';
import { ApiError, apiError, CONTEXT_EXCEEDED, invalid } from '../errors.ts';
import type { RequestMessage, RequestTool, ToolChoice } from '../schemas/chat-request.ts';
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
  readonly tool_choice?: ToolChoice | null | undefined;
  readonly parallel_tool_calls?: boolean | null | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
}

type Content = RequestMessage['content'];

/** Parts are lines, as in other servers: templates know strings only. */
function textOf(content: Content): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : part.refusal)).join('\n');
}

/** A message as templates know it. */
function templateMessage(message: RequestMessage): ChatMessage {
  const role = message.role === 'developer' ? 'system' : message.role;
  const base = { role, content: textOf(message.content) };
  if (message.role === 'tool') return { ...base, tool_call_id: message.tool_call_id };
  if (message.role !== 'assistant' || !message.tool_calls?.length) return base;
  return { ...base, tool_calls: message.tool_calls };
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

/** Variables of the request's own. @throws 400: one of them is the server's. */
export function templateVariables(request: PromptRequest): Readonly<Record<string, unknown>> {
  const variables = request.chat_template_kwargs ?? {};
  const own = Object.keys(variables).find((name) => OWN_VARIABLES.has(name));
  if (own !== undefined) throw invalid('chat_template_kwargs', `${own} is not for requests to set`);
  return variables;
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

/** How the model of a request uses its tools; without any, the chat as it is. @throws 400 */
export function toolsOf(model: ServedModel, request: PromptRequest): ToolUse {
  const { tools, tool_choice, parallel_tool_calls } = request;
  const given = tools?.map(({ type, function: { name, description, parameters } }) => ({
    type,
    function: { name, description: description ?? undefined, parameters: parameters ?? undefined },
  }));
  const options = { choice: tool_choice ?? 'auto', parallel: parallel_tool_calls ?? true };
  if (!given?.length && typeof options.choice === 'object')
    throw invalid('tool_choice', 'there are no tools');
  return of('tools', () => toolUse(templateOf(model), model.service.tokenizer, given, options));
}

/** What is thrown, said of a field. */
function of<T>(param: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const told = apiError(error);
    if (told.status !== 400 || told.param !== null) throw error;
    throw new ApiError(400, told.message, { param, cause: error });
  }
}

export interface FitLimits {
  readonly policy: OverflowPolicy;
  readonly maxTokens: number | undefined;
}

/** @throws 400: the template refuses the messages, or they do not fit the context. */
export function chatPrompt(
  { service: { contextSize } }: ServedModel,
  request: PromptRequest,
  use: ToolUse,
  limits: FitLimits,
): Int32Array {
  const variables = templateVariables(request);
  try {
    const encode = (messages: readonly ChatMessage[]) => use.encode(messages, { variables });
    return fitChat(templateMessages(request.messages), encode, { ...limits, contextSize }).ids;
  } catch (error) {
    throw promptError(error, limits.policy);
  }
}
