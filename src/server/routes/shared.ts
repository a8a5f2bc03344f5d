/** What the descriptions and answers of several routes share. */
import type { z } from '@hono/zod-openapi';
import { errorSchema } from '../schemas/common.ts';

/** By status: when it is answered. */
const ERRORS = {
  400: 'The request is not as it has to be; `param` names the field.',
  401: 'No API key, or a wrong one.',
  404: 'There is no such model.',
  413: 'The body is larger than this server takes.',
  415: 'The body is not declared as application/json.',
  429: 'Too many requests wait; `Retry-After` says when to try again.',
  500: 'A fault of the server.',
  503: 'The server takes no more requests, or lacks the memory.',
} as const;
type ErrorStatus = keyof typeof ERRORS;

interface ErrorResponse {
  readonly description: string;
  readonly content: { readonly 'application/json': { readonly schema: typeof errorSchema } };
}

export function errorResponses<S extends ErrorStatus>(...statuses: readonly S[]): Record<S, ErrorResponse> {
  const entries = statuses.map((status) => [
    status,
    { description: ERRORS[status], content: { 'application/json': { schema: errorSchema } } },
  ]);
  return Object.fromEntries(entries) as Record<S, ErrorResponse>;
}

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}

export function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } } as const;
}

/** JSON at once, or chunks as server-sent events. */
export function jsonOrEvents<T extends z.ZodType, C extends z.ZodType>(
  description: string,
  schema: T,
  chunk: C,
) {
  const content = { 'application/json': { schema }, 'text/event-stream': { schema: chunk } } as const;
  return { description, content } as const;
}

/** Seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

export function answerId(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().replaceAll('-', '')}`;
}
