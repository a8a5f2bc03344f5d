/** POST /v1/chat/completions: what is asked. Fields that are not listed are ignored, as clients send many. */
import { z } from '@hono/zod-openapi';
import { answerFields, MAX_TOP_LOGPROBS, overflowField } from './common.ts';

/** Messages and tools of one request at most. */
const MAX_MESSAGES = 10_000;
const MAX_TOOLS = 512;

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const refusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() });

/** Parts that are no text are refused by name: a model that never saw the picture would answer all the same. */
const part = z
  .discriminatedUnion('type', [textPart, refusalPart], {
    error: ({ input }) => {
      const type: unknown = typeof input === 'object' && input && 'type' in input ? input.type : undefined;
      return typeof type === 'string'
        ? `a part of type ${JSON.stringify(type)} is not supported: these models read text only`
        : 'a content part needs a "type"';
    },
  })
  .openapi('ContentPart');

const content = z.union([z.string(), z.array(part)]);

const toolCall = z
  .object({
    id: z.string(),
    type: z.literal('function'),
    function: z.object({ name: z.string(), arguments: z.string() }),
  })
  .openapi('ToolCall');

const instruction = { content, name: z.string().nullish() };

export const messageSchema = z
  .discriminatedUnion(
    'role',
    [
      z.object({ role: z.literal('system'), ...instruction }),
      z.object({ role: z.literal('developer'), ...instruction }),
      z.object({ role: z.literal('user'), ...instruction }),
      z.object({
        role: z.literal('assistant'),
        content: content.nullish(),
        refusal: z.string().nullish(),
        name: z.string().nullish(),
        tool_calls: z.array(toolCall).nullish(),
      }),
      z.object({ role: z.literal('tool'), content, tool_call_id: z.string() }),
    ],
    {
      error: ({ input }) =>
        typeof input === 'object' && input && 'role' in input
          ? `role ${JSON.stringify(input.role)} is not one of system, developer, user, assistant, tool`
          : 'a message needs a "role"',
    },
  )
  .openapi('Message');
export type RequestMessage = z.output<typeof messageSchema>;

const jsonObject = z.record(z.string(), z.unknown());

export const toolSchema = z
  .object({
    type: z.literal('function'),
    function: z.object({
      name: z.string().min(1).max(64),
      description: z.string().nullish(),
      parameters: jsonObject.nullish().openapi({ description: 'A JSON schema.' }),
      strict: z.boolean().nullish(),
    }),
  })
  .openapi('Tool');
export type RequestTool = z.output<typeof toolSchema>;

export const responseFormatSchema = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      json_schema: z.object({
        name: z.string().max(64),
        description: z.string().nullish(),
        schema: z.union([jsonObject, z.boolean()]).optional(),
        strict: z.boolean().nullish(),
      }),
    }),
  ])
  .openapi('ResponseFormat');
export type ResponseFormat = z.output<typeof responseFormatSchema>;

const toolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
]);
export type ToolChoice = z.output<typeof toolChoiceSchema>;

/** What a template is given; shared with /apply-template. */
export const promptFields = {
  messages: z.array(messageSchema).min(1).max(MAX_MESSAGES),
  tools: z.array(toolSchema).max(MAX_TOOLS).nullish(),
  tool_choice: toolChoiceSchema.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish().openapi({
    description: "Beyond OpenAI's API. Further variables of the chat template, such as `enable_thinking`.",
  }),
} as const;

export const chatRequestSchema = z
  .object({
    ...promptFields,
    ...answerFields,
    max_completion_tokens: z.int().min(1).nullish(),
    max_tokens: z.int().min(1).nullish().openapi({ description: 'The older name of max_completion_tokens.' }),
    logprobs: z.boolean().nullish(),
    top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
    response_format: responseFormatSchema.nullish(),
    overflow: overflowField,
    functions: z.null({ error: 'is not supported: use "tools"' }).optional(),
    function_call: z.null({ error: 'is not supported: use "tool_choice"' }).optional(),
  })
  .openapi('ChatCompletionRequest');
export type ChatRequest = z.output<typeof chatRequestSchema>;
