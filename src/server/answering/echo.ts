/** Prompts that are told again in front of their answers, with how likely the model finds them where that is asked. */
import type { ServerContext } from '../env.ts';
import { abortError } from '../errors.ts';
import type { CompletionRequest } from '../schemas/completions.ts';
import { clientOf, requestSignal } from '../state.ts';
import type { PlacedToken } from './logprobs.ts';
import type { Job } from './run.ts';
import { listOf, type TextOrIds } from './texts.ts';

export interface Echo {
  readonly text: string;
  /** Where tokens are told. */
  readonly tokens: readonly PlacedToken[];
}

const NOTHING: Echo = { text: '', tokens: [] };

/** Where the tokens of a prompt begin in its text. A BOS that the text does not have takes no place. */
function offsets(job: Job, ids: Int32Array, prompt: TextOrIds): number[] {
  const { tokenizer } = job.model.service;
  const decoder = tokenizer.decoder({ special: true });
  let at = 0;
  return Array.from(ids, (id, i) => {
    const offset = at;
    const isAdded = i === 0 && id === tokenizer.bos && typeof prompt === 'string';
    const shows = !isAdded || prompt.startsWith(tokenizer.decode([id], { special: true }));
    if (shows) at += decoder.push(id).length;
    return offset;
  });
}

async function scored(c: ServerContext, job: Job, index: number, prompt: TextOrIds, top: number) {
  const ids = job.prompts[index];
  const signal = requestSignal(c);
  const options = { top, signal, client: clientOf(c, job.user) };
  try {
    const scores = await job.model.service.score(ids, options);
    const places = offsets(job, ids, prompt);
    return Array.from(ids, (id, i): PlacedToken => ({ ...scores[i - 1], id, offset: places[i] }));
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  }
}

/** By prompt: nothing, where no echo is asked for. @throws as the service. */
export async function echoesOf(c: ServerContext, job: Job, request: CompletionRequest): Promise<Echo[]> {
  const { tokenizer } = job.model.service;
  const { echo, logprobs } = request;
  const echoes: Echo[] = [];
  for (const [index, prompt] of listOf(request.prompt).entries()) {
    const text = typeof prompt === 'string' ? prompt : tokenizer.decode(prompt, { special: true });
    const tells = echo && typeof logprobs === 'number';
    const tokens = tells ? await scored(c, job, index, prompt, logprobs) : [];
    echoes.push(echo ? { text, tokens } : NOTHING);
  }
  return echoes;
}

/** Tokens of an answer, in the text that begins with the echo. */
export function behind({ text }: Echo, tokens: readonly PlacedToken[]): PlacedToken[] {
  return tokens.map((token) => ({ ...token, offset: text.length + token.offset }));
}
