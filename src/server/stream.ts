/**
 * Server-sent events. Every frame is one chunk; the next is made when the reader has room for it, so a slow reader slows
 * its own answer and nothing piles up. A reader that goes away ends the answer.
 */
import { apiError } from './errors.ts';

/** The last frame of a stream that went well. */
export const DONE = 'data: [DONE]\n\n';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // Proxies of nginx's kind would keep the frames together.
  'x-accel-buffering': 'no',
} as const;

const utf8 = new TextEncoder();

/** JSON has no line breaks of its own, so a frame is one line. */
export function frame(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** Clients look for `error` in the data; the name of the event is for those that look there. */
export function errorFrame(error: unknown): string {
  return `event: error\n${frame(apiError(error).body())}`;
}

export interface EventStreamOptions {
  /** Ends the work behind the frames: the reader is gone. */
  readonly leave: () => Promise<void>;
  /** Milliseconds without a frame, after which a comment is sent. */
  readonly keepAliveMs: number;
  /** What a comment says. */
  readonly comment: () => string;
  /** Hears of what ended the frames early. */
  readonly onError: (error: unknown) => void;
}

type Frames = AsyncGenerator<string, void>;

/** The source of a stream of bytes: one frame, or one comment, each time it is asked. */
class FrameSource {
  readonly #frames: Frames;
  readonly #options: EventStreamOptions;
  #next: Promise<IteratorResult<string, void>> | undefined;
  #left = false;

  constructor(frames: Frames, options: EventStreamOptions) {
    this.#frames = frames;
    this.#options = options;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const text = await this.#frameOrComment();
      if (this.#left) return;
      if (text === undefined) return controller.close();
      controller.enqueue(utf8.encode(text));
    } catch (error) {
      if (this.#left) return;
      this.#options.onError(error);
      controller.enqueue(utf8.encode(errorFrame(error)));
      controller.close();
    }
  }

  async cancel(): Promise<void> {
    this.#left = true;
    await this.#options.leave();
    await this.#frames.return();
  }

  /** Undefined: there are no more. */
  async #frameOrComment(): Promise<string | undefined> {
    this.#next ??= this.#frames.next();
    const { keepAliveMs, comment } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, keepAliveMs, undefined);
    });
    try {
      const result = await Promise.race([this.#next, silence]);
      if (result === undefined) return `: ${comment()}\n\n`;
      this.#next = undefined;
      return result.done ? undefined : result.value;
    } finally {
      clearTimeout(timer);
    }
  }
}

export function eventStream(frames: Frames, options: EventStreamOptions): Response {
  const source = new FrameSource(frames, options);
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => source.pull(controller),
    cancel: () => source.cancel(),
  });
  return new Response(body, { headers: HEADERS });
}
