/**
 * An end for every request: its time is bounded, and it ends when its asker has gone. Before the answer has begun, the
 * bound is an error with a status; later it is a last event of the stream.
 */
import { ApiError } from '../errors.ts';
import { errorFrame } from '../stream.ts';

export interface Deadline {
  /** Aborted when the time is over, with `late` as its reason, or when the asker has gone. */
  readonly signal: AbortSignal;
  /** What is said when the time is over. */
  readonly late: ApiError;
  /** The time is not counted any more. */
  clear(): void;
}

export function openDeadline(seconds: number, gone: AbortSignal, late: ApiError): Deadline {
  const controller = new AbortController();
  const onGone = (): void => {
    clearTimeout(timer);
    controller.abort(gone.reason);
  };
  const timer = setTimeout(() => controller.abort(late), 1000 * seconds);
  if (gone.aborted) onGone();
  else gone.addEventListener('abort', onGone, { once: true });
  return {
    signal: controller.signal,
    late,
    clear: () => {
      clearTimeout(timer);
      gone.removeEventListener('abort', onGone);
    },
  };
}

/** What breaks a stream off where there is nothing to say. */
export interface StreamEnds {
  /** Closes the connection, so that a reader sees that the end is missing. */
  readonly cut: () => void;
  /** Hears of a stream that broke by itself. */
  readonly onFault: (error: unknown) => void;
}

/** The answer, or the error when the time is over first; its stream ends when the time is over. */
export async function within(
  deadline: Deadline,
  answer: Promise<Response>,
  ends: StreamEnds,
): Promise<Response> {
  const { signal } = deadline;
  let stop = (): void => {};
  const over = new Promise<undefined>((resolve) => {
    const listener = (): void => resolve(undefined);
    stop = () => signal.removeEventListener('abort', listener);
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener);
  });
  try {
    const first = await Promise.race([answer, over]);
    if (first) return bounded(first, deadline, ends);
    // What comes too late is thrown away, and its stream is told; that the answer ends with an error is as it should be.
    answer.then((response) => response.body?.cancel()).catch(() => {});
    return deadline.late.response();
  } catch (error) {
    if (signal.aborted) return deadline.late.response();
    deadline.clear();
    throw error;
  } finally {
    stop();
  }
}

function bounded(response: Response, deadline: Deadline, ends: StreamEnds): Response {
  const { body, status, headers } = response;
  if (!body) {
    deadline.clear();
    return response;
  }
  const events = headers.get('content-type')?.startsWith('text/event-stream') === true;
  const last = events ? new TextEncoder().encode(errorFrame(deadline.late)) : undefined;
  return new Response(boundedStream(body, deadline, last, ends), { status, headers });
}

/** @param last what a stream ends with where the time is over; undefined: it breaks off. */
function boundedStream(
  source: ReadableStream<Uint8Array>,
  { signal, late, clear }: Deadline,
  last: Uint8Array | undefined,
  { cut, onFault }: StreamEnds,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  // Reads that wait end with this.
  const onAbort = (): void => void reader.cancel(signal.reason).catch(onFault);
  signal.addEventListener('abort', onAbort, { once: true });
  const end = (): void => {
    clear();
    signal.removeEventListener('abort', onAbort);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          if (signal.reason === late && last) controller.enqueue(last);
          else if (signal.aborted) cut();
        } catch (error) {
          // A reader that was too slow is no fault of the stream.
          if (!(error instanceof ApiError)) onFault(error);
          cut();
        }
        end();
        controller.close();
      },
      cancel: (reason) => {
        end();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
