/** The text-generation pipeline over a model's service. */
import { usageError } from '../../core/index.ts';
import { TokenGrammar } from '../grammar/index.ts';
import type { ModelService, RequestOptions } from '../serving/index.ts';
import { type Prompt, promptIds, readInputs } from './inputs.ts';
import type { Lifetime } from './lifetime.ts';
import { answerLength, type CheckedOptions, checkOptions, generationOptions } from './options.ts';
import { ResponseGrammars } from './response-format.ts';
import { tokenStream } from './stream.ts';
import type {
  GeneratedChat,
  GeneratedText,
  StreamOptions,
  TextGenerationEnd,
  TextGenerationInput,
  TextGenerationOptions,
  TextGenerationOutput,
  TextGenerationPipeline,
  TextGenerationStream,
} from './types.ts';

/** A prompt that is ready, and the answers that it gets. */
interface Job {
  readonly prompt: Prompt;
  readonly ids: Int32Array;
}

class TextGeneration {
  readonly #service: ModelService;
  readonly #grammars = new ResponseGrammars((warning) => console.warn(`response_format: ${warning}`));

  constructor(service: ModelService) {
    this.#service = service;
  }

  async answers(input: TextGenerationInput, given: TextGenerationOptions): Promise<TextGenerationOutput> {
    const options = checkOptions(given);
    const { prompts, batched } = readInputs(input);
    const { num_return_sequences: count = 1 } = options;
    checkTogether(options, prompts.length * count);
    const jobs = prompts.map((prompt): Job => ({ prompt, ids: this.#ids(prompt, options) }));
    const outputs = await allOrNone(
      jobs.flatMap(({ prompt, ids }) =>
        Array.from({ length: count }, (_, index) => async (signal: AbortSignal) => {
          const end = await this.#whole(ids, { ...options, signal }, index);
          return output(prompt, end.generated_text, options);
        }),
      ),
      options.signal,
    );
    const lists = prompts.map((_, i) => outputs.slice(i * count, (i + 1) * count));
    return (batched ? lists : lists[0]) as TextGenerationOutput;
  }

  stream(input: Prompt, given: StreamOptions): TextGenerationStream {
    const options = checkOptions(given);
    const { streamer, num_return_sequences: count = 1 } = options;
    if (streamer || count > 1) throw usageError('stream: neither streamer nor several answers go with it');
    const { prompts, batched } = readInputs(input);
    if (batched) throw usageError('stream: one text or one chat at a time', 'call stream for each of them');
    return this.#stream(this.#ids(prompts[0], options), options, 0);
  }

  #ids(prompt: Prompt, options: CheckedOptions): Int32Array {
    const ids = promptIds(this.#service, prompt, options);
    if (ids.length > 0) return ids;
    throw usageError(
      'the prompt is empty, and the vocabulary begins no text by itself',
      'give at least one character',
    );
  }

  async #whole(ids: Int32Array, options: CheckedOptions, index: number): Promise<TextGenerationEnd> {
    const { streamer } = options;
    const tokens = this.#stream(ids, options, index);
    streamer?.put([Array.from(ids, BigInt)]);
    for (;;) {
      const { value, done } = await tokens.next();
      if (done) {
        streamer?.end('');
        return value;
      }
      if (value.id === undefined) streamer?.put([[]], value.text);
      else streamer?.put([[BigInt(value.id)]], value.text);
    }
  }

  #stream(ids: Int32Array, options: CheckedOptions, index: number): TextGenerationStream {
    const { tokenizer } = this.#service;
    const grammar = this.#grammars.of(options.response_format);
    const request: RequestOptions = {
      ...generationOptions(options, index),
      maxTokens: answerLength(options, ids.length),
      ...(options.signal ? { signal: options.signal } : {}),
      ...(grammar ? { constraint: new TokenGrammar(grammar, tokenizer) } : {}),
    };
    return tokenStream(this.#service, ids, request);
  }
}

/** @throws usage error: options that do not go with so many answers. */
function checkTogether(
  { streamer, do_sample, num_return_sequences: count = 1 }: CheckedOptions,
  answers: number,
) {
  if (streamer && answers !== 1) throw usageError(`streamer: one answer at a time, not ${answers}`);
  if (count > 1 && !do_sample) {
    throw usageError('num_return_sequences: all answers would be the same', 'set do_sample: true');
  }
}

function output(
  prompt: Prompt,
  answer: string,
  { return_full_text: full = true }: CheckedOptions,
): GeneratedText | GeneratedChat {
  if (!full) return { generated_text: answer };
  if (typeof prompt === 'string') return { generated_text: prompt + answer };
  return { generated_text: [...prompt, { role: 'assistant', content: answer }] };
}

/** All at once; when one fails the others are stopped and waited for, so that nothing goes on unseen. */
async function allOrNone<T>(
  work: readonly ((signal: AbortSignal) => Promise<T>)[],
  outer: AbortSignal | undefined,
): Promise<T[]> {
  const failure = new AbortController();
  const signal = outer ? AbortSignal.any([outer, failure.signal]) : failure.signal;
  const running = work.map((one) =>
    one(signal).catch((error: unknown) => {
      failure.abort();
      throw error;
    }),
  );
  await Promise.allSettled(running);
  return Promise.all(running);
}

export function textGenerationPipeline(service: ModelService, lifetime: Lifetime): TextGenerationPipeline {
  const generation = new TextGeneration(service);
  const call = async (input: TextGenerationInput, options: TextGenerationOptions = {}) => {
    lifetime.check();
    return generation.answers(input, options);
  };
  return Object.assign(call as unknown as TextGenerationPipeline, {
    task: 'text-generation' as const,
    tokenizer: service.tokenizer,
    stream: (input: Prompt, options: StreamOptions = {}) => {
      lifetime.check();
      return generation.stream(input, options);
    },
    dispose: lifetime.end,
    [Symbol.asyncDispose]: lifetime.end,
  });
}
