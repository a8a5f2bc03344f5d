/** What can go wrong between the page and a server, as a sentence for the person in front of it. */
import { ProviderError } from '../provider.ts';
import type { WireError } from './openai-wire.ts';

/** Characters of a server's own words that are shown. */
const SHOWN = 400;

/** What a status means for who asked, and what to do; `said` is the server's own sentence or empty. */
const SENTENCES: Readonly<Record<number, (said: string, retryAfter: number | undefined) => string>> = {
  401: (said) => `The server wants an API key that it knows: set it in the settings.${said}`,
  403: (said) => `The server does not allow this with the given API key.${said}`,
  404: (said) => `The server has no such model or address: check the model and the base URL.${said}`,
  413: (said) => `This is too much for the server: shorten the conversation or attach less.${said}`,
  429: (said, retryAfter) => `The server is busy: try again ${delay(retryAfter)}.${said}`,
  500: (said) => `The server failed on its side: its log says why.${said}`,
  503: (said, retryAfter) => `The server takes no requests now: try again ${delay(retryAfter)}.${said}`,
};

function delay(retryAfter: number | undefined): string {
  return retryAfter === undefined ? 'in a moment' : `in ${retryAfter} s`;
}

/** Of an error in OpenAI's shape, or in another: the text. */
export function errorText(error: WireError | string | undefined): string {
  return typeof error === 'string' ? error : (error?.message ?? '');
}

/** The words and the code of an error's body: OpenAI's shape, another, or plain text; a page of HTML says nothing. */
function saidIn(body: string): { readonly said: string; readonly code: string | undefined } {
  try {
    const { error, message } = JSON.parse(body) as { error?: WireError | string; message?: string };
    const code = typeof error === 'object' ? error.code : undefined;
    return { said: errorText(error) || (message ?? ''), code: typeof code === 'string' ? code : undefined };
  } catch {
    return { said: body.trimStart().startsWith('<') ? '' : body.trim(), code: undefined };
  }
}

/** Seconds from now of a `Retry-After`, which is seconds or a date. */
function secondsOf(retryAfter: string | null): number | undefined {
  if (retryAfter === null || retryAfter.trim() === '') return undefined;
  const seconds = Number.isNaN(Number(retryAfter))
    ? (Date.parse(retryAfter) - Date.now()) / 1000
    : Number(retryAfter);
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

/** An answer that is not 2xx. */
export async function refusal(response: Response): Promise<ProviderError> {
  const { status } = response;
  const { said: words, code } = saidIn(await response.text().catch(() => ''));
  const said = words.slice(0, SHOWN);
  const sentence = SENTENCES[status];
  const retryAfter = secondsOf(response.headers.get('retry-after'));
  const message = sentence
    ? sentence(said && ` It says: ${said}`, retryAfter)
    : `The server refused this (HTTP ${status})${said ? `: ${said}` : '.'}`;
  const known = {
    ...(code === undefined ? {} : { code }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
  return new ProviderError(message, { status, ...known });
}

/** No answer at all: no server, no network, or a server that does not allow this page's origin. */
export function unreachable(url: string): ProviderError {
  return new ProviderError(
    `No answer from ${url}: is the server running, and does it allow this page (bitmill serve --cors)?`,
  );
}

export function brokenOff(): ProviderError {
  return new ProviderError('The connection ended before the answer was whole: try again.');
}

/** The server's own check of answers. */
export function filtered(): ProviderError {
  return new ProviderError("The server's safety check ended this answer.", { code: 'content_filter' });
}

export function unreadable(what: string): ProviderError {
  return new ProviderError(
    `The server's ${what} cannot be read: is this the address of an OpenAI-compatible API?`,
  );
}
