/** What can go wrong between the page and a server, as a sentence for the person in front of it. */
import { ProviderError } from '../provider.ts';
import type { WireError } from './openai-wire.ts';

/** Characters of a server's own words that are shown. */
const SHOWN = 400;

/** What a status means for who asked, and what to do; `said` is the server's own sentence or empty. */
const SENTENCES: Readonly<Record<number, (said: string, retryAfter: string | null) => string>> = {
  401: (said) => `The server wants an API key that it knows: set it in the settings.${said}`,
  403: (said) => `The server does not allow this with the given API key.${said}`,
  404: (said) => `The server has no such model or address: check the model and the base URL.${said}`,
  413: (said) => `This is too much for the server: shorten the conversation or attach less.${said}`,
  429: (said, retryAfter) => `The server is busy: try again ${delay(retryAfter)}.${said}`,
  500: (said) => `The server failed on its side: its log says why.${said}`,
  503: (said, retryAfter) => `The server takes no requests now: try again ${delay(retryAfter)}.${said}`,
};

/** `Retry-After` is seconds or a date. */
function delay(retryAfter: string | null): string {
  const seconds = Number(retryAfter);
  if (retryAfter === null || retryAfter === '') return 'in a moment';
  if (Number.isFinite(seconds)) return `in ${seconds} s`;
  const date = new Date(retryAfter);
  return Number.isNaN(date.getTime()) ? 'in a moment' : `after ${date.toLocaleTimeString()}`;
}

/** Of an error in OpenAI's shape, or in another: the text. */
export function errorText(error: WireError | string | undefined): string {
  return typeof error === 'string' ? error : (error?.message ?? '');
}

function saidIn(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: WireError | string; message?: string };
    return errorText(error) || (message ?? '');
  } catch {
    return body.trimStart().startsWith('<') ? '' : body.trim();
  }
}

/** An answer that is not 2xx. */
export async function refusal(response: Response): Promise<ProviderError> {
  const said = saidIn(await response.text().catch(() => '')).slice(0, SHOWN);
  const sentence = SENTENCES[response.status];
  const retryAfter = response.headers.get('retry-after');
  const message = sentence
    ? sentence(said && ` It says: ${said}`, retryAfter)
    : `The server refused this (HTTP ${response.status})${said ? `: ${said}` : '.'}`;
  return new ProviderError(message, response.status);
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

export function unreadable(what: string): ProviderError {
  return new ProviderError(
    `The server's ${what} cannot be read: is this the address of an OpenAI-compatible API?`,
  );
}
