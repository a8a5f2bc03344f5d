/** What a schema finds wrong, as one sentence about one field. */
import type { z } from '@hono/zod-openapi';
import { ApiError } from '../errors.ts';

type Issue = z.core.$ZodIssue;

/** `messages[0].content`. */
function place(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/** What zod says of a union that has no sentence of its own. */
const NOTHING_SAID = 'Invalid input';

/** Of a union, the member that got furthest: what it finds is what was meant. */
function deepest(issue: Issue, path: readonly PropertyKey[] = []): { path: PropertyKey[]; message: string } {
  const here = [...path, ...issue.path];
  const isOpen = issue.code === 'invalid_union' && issue.errors.length > 0 && issue.message === NOTHING_SAID;
  if (!isOpen) return { path: here, message: issue.message.replace(/^Invalid input: /, '') };
  const found = issue.errors.flatMap((issues) => issues.map((one) => deepest(one, here)));
  const longest = Math.max(...found.map((one) => one.path.length));
  const best = found.filter((one) => one.path.length === longest);
  const messages = [...new Set(best.map(({ message }) => message))];
  return { path: best[0].path, message: messages.join(', or ') };
}

export function validationError({ issues }: { readonly issues: readonly Issue[] }): ApiError {
  const { path, message } = deepest(issues[0]);
  const param = place(path);
  return new ApiError(400, param === '' ? message : `${param}: ${message}`, { param: param || undefined });
}
