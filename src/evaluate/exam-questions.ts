/** Questions with one right answer each, as JSON lines: `{"category":"addition","question":"…","answer":"12."}`. */
import { inputError } from '../core/index.ts';
import { quoted } from '../gguf/index.ts';

export interface ExamQuestion {
  /** Where it stands in its file, from 1. */
  readonly line: number;
  readonly category: string;
  readonly question: string;
  /** The whole of the right answer, to the letter. */
  readonly answer: string;
}

export interface Exam {
  /** The file, for messages. */
  readonly place: string;
  /** At least one. */
  readonly questions: readonly ExamQuestion[];
}

/** Far above every exam that is worth its time; a text of something else is told early. */
const MAX_QUESTIONS = 100_000;
const MAX_CATEGORIES = 1000;

/** Characters of each field at most: a question is for a chat, not a book. */
const MOST = { category: 100, question: 100_000, answer: 10_000 } as const;
type Field = keyof typeof MOST;

/** Characters of a line at most: no field above its own limit fits, escaped, in more. */
const MAX_LINE = 1 << 20;

const FORM_HINT =
  'one question a line: {"category": "addition", "question": "What is 7 plus 5?", "answer": "12."}';

function parseLine(line: string, place: string): Readonly<Record<string, unknown>> {
  if (line.length > MAX_LINE) {
    throw inputError(place, `has ${line.length} characters; at most ${MAX_LINE} are read`);
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw inputError(place, `${quoted(line, 60)} is not JSON`, FORM_HINT);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw inputError(place, `${quoted(line, 60)} is no question`, FORM_HINT);
}

function fieldOf(record: Readonly<Record<string, unknown>>, name: Field, place: string): string {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  if (typeof value !== 'string') {
    const found = value === undefined ? 'is missing' : `is ${quoted(JSON.stringify(value), 60)}, not a text`;
    throw inputError(place, `"${name}" ${found}`, FORM_HINT);
  }
  if (value.trim() === '') throw inputError(place, `"${name}" is empty`, FORM_HINT);
  if (value.length <= MOST[name]) return value;
  throw inputError(place, `"${name}" has ${value.length} characters; at most ${MOST[name]} are allowed`);
}

/**
 * Reads an exam; other fields of a line are passed over, empty lines too.
 * @param place the file, for messages.
 * @throws input error: file and line of the first that is no question, or that asks what another asks already.
 */
export function readExam(text: string, place: string): Exam {
  const questions: ExamQuestion[] = [];
  const lineOf = new Map<string, number>();
  const categories = new Set<string>();
  for (const [at, content] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    if (content.trim() === '') continue;
    const line = at + 1;
    const here = `${place}:${line}`;
    const record = parseLine(content, here);
    const [category, question, answer] = (['category', 'question', 'answer'] as const).map((name) =>
      fieldOf(record, name, here),
    );
    const other = lineOf.get(question);
    if (other !== undefined) throw inputError(here, `asks what line ${other} asks already`);
    lineOf.set(question, line);
    categories.add(category);
    questions.push({ line, category, question, answer });
    if (questions.length > MAX_QUESTIONS)
      throw inputError(here, `at most ${MAX_QUESTIONS} questions are read`);
    if (categories.size > MAX_CATEGORIES)
      throw inputError(here, `at most ${MAX_CATEGORIES} categories are read`);
  }
  if (questions.length > 0) return { place, questions };
  throw inputError(place, 'holds no question', FORM_HINT);
}
