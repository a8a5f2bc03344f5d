/**
 * Bodies of requests, read under a limit: counted as they come, whatever their headers say. Also the goodbye to a client
 * that is still sending what nobody will read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What is thrown away at most of a body that was refused, so that its sender reads the answer; bytes and ms. */
const LINGER_BYTES = 2 ** 24;
const LINGER_MS = 1000;

/** Asked to wait with its body until it is welcome. */
function expectsContinue({ headers }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue';
}

/** Whether a request has a body. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The whole body; `large`: more than `most` bytes, read no further than that; `gone`: its sender has left. */
export async function readBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  most: number,
): Promise<Uint8Array<ArrayBuffer> | 'large' | 'gone'> {
  if (!hasBody(incoming)) return new Uint8Array(0);
  if (Number(incoming.headers['content-length'] ?? 0) > most) return 'large';
  if (expectsContinue(incoming)) outgoing.writeContinue();
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const finish = (result: Uint8Array<ArrayBuffer> | 'large' | 'gone'): void => {
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (result === 'large') incoming.pause();
      resolve(result);
    };
    const onData = (piece: Buffer): void => {
      size += piece.length;
      pieces.push(piece);
      if (size > most) finish('large');
    };
    const onEnd = (): void => finish(joined(pieces, size));
    const onClose = (): void => finish('gone');
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function joined(pieces: readonly Buffer[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** Reads on for a moment and throws it away; resolves when all is read or the moment is over. */
function linger(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let size = 0;
    const finish = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', finish).off('close', finish).pause();
      resolve();
    };
    const onData = (piece: Buffer): void => {
      size += piece.length;
      if (size > LINGER_BYTES) finish();
    };
    const timer = setTimeout(finish, LINGER_MS);
    incoming.on('data', onData).on('end', finish).on('close', finish).on('error', finish).resume();
  });
}

/**
 * An answer to a request whose body was not read: complete for its reader at once, then the connection ends. It stays
 * open for a moment, because a connection that is closed with bytes unread is reset, and the answer with it.
 */
export async function partingResponse(incoming: IncomingMessage, response: Response): Promise<Response> {
  if (incoming.complete || !hasBody(incoming)) return response;
  if (expectsContinue(incoming)) {
    // Its body is still at home.
    response.headers.set('connection', 'close');
    return response;
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.set('connection', 'close');
  headers.set('content-length', String(bytes.length));
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(bytes),
      pull: async (controller) => {
        await linger(incoming);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status: response.status, headers });
}
