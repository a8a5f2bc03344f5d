/**
 * A host's check of what is asked and of what is answered: `safety` of `createApp`'s extras. By default there is none.
 * Questions are looked at before a model sees them (a block is status 400 with code `content_filter`), answers while
 * they come (a block ends them with finish_reason `content_filter`). Nothing is sent that was not looked at.
 */
import type { MiddlewareHandler } from 'hono';
import type { AnswerEnd, GeneratedToken, ModelService, RequestOptions } from '../generate/index.ts';
import type { ServerEnv } from './env.ts';
import { ApiError } from './errors.ts';
import type { ServedModel } from './settings.ts';

export type SafetyVerdict =
  | { readonly kind: 'allow' }
  /** @param reason one sentence; the asker is told. */
  | { readonly kind: 'block'; readonly reason: string };

export interface AskedMessage {
  readonly role: string;
  /** Parts of text are joined. */
  readonly content: string;
}

export interface SafetyCheck {
  /** @param messages of a chat; of a completion its prompt, as of a user. */
  input?(messages: readonly AskedMessage[], signal: AbortSignal): SafetyVerdict | Promise<SafetyVerdict>;
  /** @param text of an answer so far. @param whole whether it ends here; before, its last word may be cut. */
  output?(text: string, whole: boolean, signal: AbortSignal): SafetyVerdict | Promise<SafetyVerdict>;
  /** Characters at the end that are not sent until what follows was looked at. Default 0. */
  readonly holdBack?: number;
  /** New characters after which an answer is looked at again. Default 1. */
  readonly every?: number;
}

const FILTERED = 'content_filter';

/** Ends of answers that a check has cut. */
const cut = new WeakSet<AnswerEnd>();

export const wasCut = (end: AnswerEnd): boolean => cut.has(end);

type Fields = Readonly<Record<string, unknown>>;

/** Text of a message's content, which is a text or parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: Fields) => (typeof part?.['text'] === 'string' ? part['text'] : '')).join('\n');
}

/** By route: what of a body is looked at. A body that is wrong has nothing to look at: its route refuses it. */
const ASKED: Readonly<Record<string, (body: Fields) => AskedMessage[]>> = {
  '/v1/chat/completions': ({ messages }) =>
    (Array.isArray(messages) ? messages : []).map((message: Fields) => ({
      role: String(message?.['role']),
      content: textOf(message?.['content']),
    })),
  '/v1/completions': ({ prompt }) =>
    (Array.isArray(prompt) ? prompt : [prompt]).flatMap((one) =>
      typeof one === 'string' ? [{ role: 'user', content: one }] : [],
    ),
};

/** Looks at requests for text before their routes do. @throws 400 with code `content_filter`. */
export function safetyMiddleware(check: SafetyCheck): MiddlewareHandler<ServerEnv> {
  return async (c, next) => {
    const asked = ASKED[c.req.path];
    if (check.input && asked && c.req.method === 'POST') {
      const body: unknown = await c.req.json().catch(() => undefined);
      const messages = typeof body === 'object' && body !== null ? asked(body as Fields) : [];
      const verdict = await check.input(messages, c.get('signal') ?? c.req.raw.signal);
      if (verdict.kind === 'block') throw new ApiError(400, verdict.reason, { code: FILTERED });
    }
    await next();
  };
}

/** A model whose answers are looked at. Everything else of its service is as it was. */
export function safeModel(model: ServedModel, check: SafetyCheck): ServedModel {
  if (!check.output) return model;
  const { service } = model;
  const answer = (ids: Int32Array, options: RequestOptions = {}) =>
    checkedAnswer(service, check, ids, options);
  const safe: ModelService = Object.create(service, {
    tokenizer: { value: service.tokenizer },
    template: { value: service.template },
    contextSize: { value: service.contextSize },
    width: { value: service.width },
    answer: { value: answer },
    embed: { value: service.embed.bind(service) },
    score: { value: service.score.bind(service) },
    stats: { value: service.stats.bind(service) },
    drain: { value: service.drain.bind(service) },
    close: { value: service.close.bind(service) },
  });
  return { ...model, service: safe };
}

async function* checkedAnswer(
  service: ModelService,
  { output, holdBack = 0, every = 1 }: SafetyCheck,
  ids: Int32Array,
  options: RequestOptions,
): AsyncGenerator<GeneratedToken, AnswerEnd> {
  const signal = options.signal ?? new AbortController().signal;
  const blocked = async (text: string, whole: boolean) =>
    (await output?.(text, whole, signal))?.kind === 'block';
  const answer = service.answer(ids, options);
  let held: { readonly token: GeneratedToken; readonly end: number }[] = [];
  let [text, looked, tokens] = ['', 0, 0];
  const end = (whole: Partial<AnswerEnd>): AnswerEnd => {
    const made = {
      reason: 'stop',
      text: '',
      promptTokens: ids.length,
      reusedTokens: 0,
      ...whole,
      tokens,
    } as const;
    cut.add(made);
    return made;
  };
  try {
    for (;;) {
      const { done, value } = await answer.next();
      if (done) {
        if (value.reason !== 'aborted' && (await blocked(text + value.text, true))) {
          return end({ promptTokens: value.promptTokens, reusedTokens: value.reusedTokens });
        }
        for (const { token } of held) yield token;
        return value;
      }
      tokens++;
      text += value.text;
      held.push({ token: value, end: text.length });
      if (text.length - looked < every) continue;
      if (await blocked(text, false)) return end({});
      looked = text.length;
      const free = held.filter((one) => one.end <= looked - holdBack);
      held = held.slice(free.length);
      for (const { token } of free) yield token;
    }
  } finally {
    await answer.return({ reason: 'aborted', tokens, text: '', promptTokens: ids.length, reusedTokens: 0 });
  }
}
