/**
 * A file on a web server as a byte source: reads only the ranges that are asked for, through a few cached
 * blocks, so that a header costs one or two requests. Works wherever there is a global `fetch`.
 */
import { BitmillError, type ByteSource, checkRange } from '../core/index.ts';

export interface HttpOptions {
  /** Instead of the global one. */
  readonly fetch?: typeof fetch;
  /** Sent with every request, e.g. an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes a cached block; default 1 MiB. */
  readonly blockBytes?: number;
  /** Aborts requests. */
  readonly signal?: AbortSignal;
}

/** Blocks that are kept, least recently used first out. */
const CACHED_BLOCKS = 4;

/** Requests are tried this many times when the server is busy or the connection breaks. */
const ATTEMPTS = 3;

/** First pause before another try, in ms; doubles. */
const PAUSE = 250;

const HINTS: Readonly<Record<number, string>> = {
  401: 'the file needs an access token',
  403: 'the file needs an access token with the right to read it',
  404: 'check the address; on Hugging Face it has /resolve/main/ before the file name',
};

function networkError(url: string, problem: string, hint?: string, cause?: unknown): BitmillError {
  return new BitmillError('network', `${url}: ${problem}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Opens a file by its http or https address. @throws network error: unreachable, refused, or no ranges. */
export async function httpSource(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const blockBytes = options.blockBytes ?? 1 << 20;
  const fetchRange = rangeFetcher(url, options);
  const first = await fetchRange(0, blockBytes);
  const source = { name: url, size: first.total };
  const cache = new Map<number, Promise<Uint8Array>>([[0, Promise.resolve(first.bytes)]]);

  const remember = (block: number, bytes: Promise<Uint8Array>) => {
    cache.delete(block);
    cache.set(block, bytes);
    bytes.catch(() => cache.delete(block));
    for (const oldest of cache.keys()) {
      if (cache.size <= CACHED_BLOCKS) break;
      cache.delete(oldest);
    }
  };
  const fetchExactly = async (offset: number, length: number): Promise<Uint8Array> => {
    const { bytes, total } = await fetchRange(offset, length);
    if (total !== source.size) {
      throw networkError(url, `the file changed while it was read (from ${source.size} to ${total} bytes)`);
    }
    return bytes;
  };
  const cachedBlock = (block: number): Promise<Uint8Array> => {
    const start = block * blockBytes;
    const bytes = cache.get(block) ?? fetchExactly(start, Math.min(blockBytes, source.size - start));
    remember(block, bytes);
    return bytes;
  };

  return {
    ...source,
    read: async (offset, length) => {
      checkRange(source, offset, length);
      if (length === 0) return new Uint8Array(0);
      const block = Math.floor(offset / blockBytes);
      const start = block * blockBytes;
      if (offset + length <= start + blockBytes) {
        return (await cachedBlock(block)).slice(offset - start, offset - start + length);
      }
      const held = await cache.get(block);
      if (held === undefined) return fetchExactly(offset, length);
      const bytes = new Uint8Array(length);
      const head = held.subarray(offset - start);
      bytes.set(head);
      bytes.set(await fetchExactly(offset + head.length, length - head.length), head.length);
      return bytes;
    },
  };
}

interface Range {
  readonly bytes: Uint8Array;
  /** Bytes of the whole file. */
  readonly total: number;
}

/** Statuses of a server that may answer in a moment. */
const BUSY: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** A function that fetches bytes `offset .. offset + length` (fewer at the end of the file). */
function rangeFetcher(url: string, options: HttpOptions): (offset: number, length: number) => Promise<Range> {
  const send = options.fetch ?? fetch;
  const attempt = async (offset: number, length: number): Promise<Range> => {
    const response = await send(url, {
      headers: { ...options.headers, range: `bytes=${offset}-${offset + length - 1}` },
      ...(options.signal ? { signal: options.signal } : {}),
    });
    if (response.status !== 206) {
      await response.body?.cancel();
      throw refusal(url, response);
    }
    const total = checkContentRange(url, response, offset);
    return { total, bytes: await readBody(url, response, Math.min(length, total - offset)) };
  };
  return async (offset, length) => {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(offset, length);
      } catch (error) {
        if (error instanceof BitmillError) throw error;
        if (tries === ATTEMPTS || options.signal?.aborted) {
          throw networkError(url, reasonOf(error), undefined, error);
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** (tries - 1)));
      }
    }
  };
}

/** Why a response has no range of bytes; a plain error where another try may help. */
function refusal(url: string, { status, statusText }: Response): Error {
  const answer = `the server answers ${status} ${statusText}`.trim();
  if (BUSY.includes(status)) return new Error(answer);
  if (status === 200) {
    return networkError(
      url,
      'the server ignores Range requests and would send the whole file',
      'download the file and open it from disk',
    );
  }
  if (status === 416) return networkError(url, 'the file is empty or shorter than it was');
  return networkError(url, answer, HINTS[status]);
}

/** @returns bytes of the whole file, from `content-range: bytes 0-99/12345`. */
function checkContentRange(url: string, response: Response, offset: number): number {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  const total = match ? Number(match[2]) : Number.NaN;
  if (!match || !Number.isSafeInteger(total))
    throw networkError(url, 'the server does not tell the size of the file');
  if (Number(match[1]) !== offset)
    throw networkError(url, `the server sent bytes from ${match[1]}, not from ${offset}`);
  return total;
}

/** The body, `length` bytes; never holds more, whatever the server sends. */
async function readBody(url: string, response: Response, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  const reader = response.body?.getReader();
  for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
    if (at + chunk.value.length > length) {
      await reader?.cancel();
      throw networkError(url, `the server sent more than the ${length} bytes asked for`);
    }
    bytes.set(chunk.value, at);
    at += chunk.value.length;
  }
  if (at < length) throw new Error(`the connection ended after ${at} of ${length} bytes`);
  return bytes;
}

/** What a failed fetch says; Node hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
