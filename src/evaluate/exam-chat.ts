/**
 * Questions as the chats that a model answers: the prompt that its template writes, and the tokens that a right answer
 * consists of, with the one that ends the turn. Which token that is, the template says: it writes it behind the answer.
 */
import { BitmillError, inputError } from '../core/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { type ChatTemplate, chatTemplateOf, type Tokenizer, tokenizerOf } from '../text/index.ts';
import type { Exam, ExamQuestion } from './exam-questions.ts';

/** A question in a model's tokens. */
export interface AskedQuestion {
  /** Everything before the assistant's answer. */
  readonly prompt: Int32Array;
  /** The answer as the template writes it; the last token ends the turn. */
  readonly answer: Int32Array;
}

/** Tokens that the model sees of a question: the one that ends the turn is only predicted. */
export function seenTokens({ prompt, answer }: AskedQuestion): Int32Array {
  return Int32Array.of(...prompt, ...answer.subarray(0, -1));
}

/** How many tokens both begin with. */
function sharedStart(a: Int32Array, b: Int32Array): number {
  const at = a.findIndex((id, i) => b[i] !== id);
  return at < 0 ? a.length : at;
}

/** Index in `ids`, from `from` on, of the first token behind the answer's text that is no text itself. */
function endOfTurn(ids: Int32Array, from: number, answer: string, tokenizer: Tokenizer): number {
  return ids.findIndex(
    (id, i) =>
      i >= from &&
      (tokenizer.isControl(id) || tokenizer.isEndOfGeneration(id)) &&
      tokenizer.decode(ids.subarray(from, i), { special: true, start: false }).includes(answer),
  );
}

/**
 * The answer's tokens where the template's whole conversation does not go on from the prompt (it may drop what only a
 * prompt has, or letters may merge across the joint): those of its text alone, if they decode to just that behind the
 * prompt. A leading space does not count.
 */
function ownTokens(answer: string, prompt: Int32Array, tokenizer: Tokenizer): Int32Array | undefined {
  const ids = tokenizer.encode(answer);
  const before = tokenizer.decode(prompt, { special: true });
  const said = tokenizer.decode([...prompt, ...ids], { special: true });
  return said === before + answer || said === `${before} ${answer}` ? ids : undefined;
}

function askOne(
  { question, answer }: ExamQuestion,
  template: ChatTemplate,
  tokenizer: Tokenizer,
  place: string,
): AskedQuestion {
  const asked = [{ role: 'user', content: question }];
  const prompt = template.encode(asked, { generationPrompt: true });
  const whole = template.encode([...asked, { role: 'assistant', content: answer }]);
  const shared = sharedStart(prompt, whole);
  const text = answer.trim();
  const end = endOfTurn(whole, shared, text, tokenizer);
  if (end < 0)
    throw inputError(place, 'the chat template writes no token that ends the turn behind the answer');
  if (shared === prompt.length) return { prompt, answer: whole.slice(prompt.length, end + 1) };
  const own = ownTokens(text, prompt, tokenizer);
  if (own) return { prompt, answer: Int32Array.of(...own, whole[end]) };
  throw inputError(place, 'the answer has no tokens that go on from the prompt of the chat template');
}

/**
 * An exam in the tokens of a model, by the model's own chat template: one message of the user, then the assistant's turn.
 * @throws input error: no chat template, or one that refuses a question, by file and line.
 */
export function askedQuestions(file: GgufFile, { place, questions }: Exam): AskedQuestion[] {
  const tokenizer = tokenizerOf(file);
  const template = chatTemplateOf(file, tokenizer);
  return questions.map((question) => {
    const here = `${place}:${question.line}`;
    try {
      return askOne(question, template, tokenizer, here);
    } catch (error) {
      if (!(error instanceof BitmillError) || error.message.startsWith(here)) throw error;
      throw inputError(here, `cannot be asked: ${error.message}`, error.hint);
    }
  });
}

/** Positions that an exam needs of a model's context. */
export function examContext(file: GgufFile, exam: Exam): number {
  return Math.max(...askedQuestions(file, exam).map(({ prompt, answer }) => prompt.length + answer.length));
}
