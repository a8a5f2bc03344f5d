/** `bitmill exam`: how many questions with one right answer a model still answers. */
import path from 'node:path';
import type { Command } from 'commander';
import {
  askedQuestions,
  type Exam,
  type ExamResult,
  type ExamTally,
  examContext,
  readExam,
  saidAnswer,
  shareWithError,
  takeExam,
} from '../../evaluate/index.ts';
import { type Engine, Session } from '../../generate/index.ts';
import { quoted } from '../../gguf/index.ts';
import { tokenizerOf } from '../../text/index.ts';
import { addEngineOptions, backendJson, type EngineFlags, withEngine } from '../engine.ts';
import { printJson, table, terminalProgress } from '../terminal.ts';
import { readTextFile } from '../texts.ts';

interface Flags extends EngineFlags {
  readonly wrong?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Tokens of a wrong answer that are shown at most. */
const SAID_TOKENS = 64;

const EXAMPLES = `
Examples:
  bitmill exam -m model-Q4_K_M.gguf exam.jsonl
  bitmill exam -m model-Q2_K.gguf exam.jsonl --wrong

One question a line: {"category": "addition", "question": "What is 7 plus 5?", "answer": "12."}
Each is asked in a chat of its own, by the template of the model. An answer is right if the most likely tokens, one
after the other, are just the given answer and then the end of the turn.`;

export function defineExam(command: Command): void {
  command.name('exam').description('ask questions that have one right answer, and count');
  addEngineOptions(command, 'f32')
    .argument('<file>', 'questions as JSON lines: category, question, answer')
    .option('--wrong', 'list the wrong answers')
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action(run);
}

/** A question that was not answered right. */
interface WrongAnswer {
  readonly line: number;
  readonly category: string;
  readonly question: string;
  readonly expected: string;
  readonly said: string;
}

/**
 * What the model says instead. One that is streamed does not generate: of its answers only the beginning is known, up to
 * the first wrong token.
 */
async function wrongAnswers(engine: Engine, exam: Exam, { answers }: ExamResult): Promise<WrongAnswer[]> {
  const { file } = engine.model;
  const tokenizer = tokenizerOf(file);
  const asked = askedQuestions(file, exam);
  const session = engine.resident ? await Session.open(engine) : undefined;
  const text = (tokens: Int32Array, ended: boolean): string =>
    tokenizer.decode(tokens, { special: true }) + (ended ? '' : '…');
  try {
    const wrong: WrongAnswer[] = [];
    for (const [i, { line, category, question, answer }] of exam.questions.entries()) {
      const { wrongAt, wrongToken } = answers[i];
      if (wrongAt === undefined || wrongToken === undefined) continue;
      const begun = Int32Array.of(...asked[i].answer.subarray(0, wrongAt), wrongToken);
      const all = session && (await saidAnswer(session, asked[i], tokenizer, SAID_TOKENS));
      const said = all ? text(all.tokens, all.ended) : text(begun, false);
      wrong.push({ line, category, question, expected: answer, said });
    }
    return wrong;
  } finally {
    session?.close();
  }
}

function share({ right, total }: ExamTally): { share: number; share_se: number | null } {
  const { value, se } = shareWithError(right / total, total);
  return { share: value, share_se: Number.isFinite(se) ? se : null };
}

function tallyJson({ right, total }: ExamTally): Record<string, unknown> {
  return { right, total, ...share({ right, total }) };
}

function tallyCells(name: string, tally: ExamTally): string[] {
  const { share: value, share_se: se } = share(tally);
  const error = se === null ? '' : `± ${(100 * se).toFixed(1)}`;
  return [name, String(tally.right), String(tally.total), `${(100 * value).toFixed(1)} %`, error];
}

function resultText(exam: Exam, result: ExamResult, wrong: readonly WrongAnswer[]): string {
  const rows = Object.entries(result.categories).map(([name, tally]) =>
    tallyCells(quoted(name, 60).slice(1, -1), tally),
  );
  const all = [['', 'right', 'of', 'share', 'error'], ...rows, tallyCells('all', result)];
  const lines = wrong.flatMap(({ line, question, expected, said }) => [
    '',
    `${path.basename(exam.place)}:${line}  ${quoted(question, 500)}`,
    `  expected ${quoted(expected, 500)}`,
    `  said     ${quoted(said, 500)}`,
  ]);
  return `${[table(all, [1, 2, 3]), ...lines].join('\n')}\n`;
}

async function mark(engine: Engine, exam: Exam, quiet: boolean): Promise<ExamResult> {
  const progress = terminalProgress({ quiet });
  let started = false;
  try {
    return await takeExam(engine, exam, {
      progress: (done, total) => {
        if (!started) progress.start(path.basename(engine.model.file.name), total, 'tokens');
        started = true;
        progress.update(done);
      },
    });
  } finally {
    progress.stop();
  }
}

async function run(file: string, flags: Flags): Promise<void> {
  const exam = readExam(await readTextFile(file), file);
  const room = flags.wrong ? SAID_TOKENS : 0;
  await withEngine(
    flags,
    (model) => ({ contextSize: examContext(model, exam) + room }),
    async (engine) => {
      const result = await mark(engine, exam, flags.quiet ?? false);
      const wrong = flags.wrong ? await wrongAnswers(engine, exam, result) : [];
      if (!flags.json) {
        process.stdout.write(resultText(exam, result, wrong));
        return;
      }
      const categories = Object.entries(result.categories).map(([name, tally]) => [name, tallyJson(tally)]);
      printJson({
        model: engine.model.file.name,
        exam: path.basename(file),
        ...backendJson(engine.backend),
        ...tallyJson(result),
        categories: Object.fromEntries(categories),
        ...(flags.wrong ? { wrong } : {}),
      });
    },
  );
}
