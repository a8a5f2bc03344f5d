/** What the shell says itself, before a request has reached a model: errors in the shape that OpenAI's clients read. */

export interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Types of errors, by the statuses that the shell gives; the spelling is OpenAI's. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  500: 'server_error',
  503: 'server_error',
  504: 'server_error',
};

export function refuse(
  status: number,
  message: string,
  { code = null, headers = {} }: { code?: string | null; headers?: Readonly<Record<string, string>> } = {},
): Refusal {
  return { status, type: TYPES[status] ?? 'invalid_request_error', code, message, headers };
}

/** The body of a refusal, JSON. */
export function refusalText({ message, type, code }: Refusal): string {
  return JSON.stringify({ error: { message, type, param: null, code } });
}

export function refusalResponse(refusal: Refusal): Response {
  return new Response(refusalText(refusal), {
    status: refusal.status,
    headers: { 'content-type': 'application/json', ...refusal.headers },
  });
}
