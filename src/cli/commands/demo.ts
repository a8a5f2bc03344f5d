/**
 * `bitmill demo`, what `npm start` runs: `make` on the model that ships with bitmill, to every type; then the same
 * questions to files of fewer and fewer bits, which shows what the table's numbers mean; and what to try next.
 */
import path from 'node:path';
import type { Command } from 'commander';
import { generate, Session } from '../../generate/index.ts';
import { DEFAULT_BACKEND } from '../../platform/index.ts';
import type { QuantSet } from '../../report/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../text/index.ts';
import { answer } from '../answers.ts';
import { type EngineFlags, withEngine } from '../engine.ts';
import { make } from '../make/job.ts';
import { setTable } from '../make/table.ts';
import { colours, printJson, withoutControls } from '../terminal.ts';

/** The embedded model. */
const MODEL = 'phi3-tiny';

const QUESTIONS = [
  'What is 7 plus 5?',
  'Put 9, 2 and 5 in order.',
  'Tell me a story about a dog named Max.',
] as const;

/** Files that are asked, where they were made, after the original. */
const ASKED = ['Q4_K_M', 'IQ3_XXS', 'IQ2_XXS', 'IQ1_S'] as const;

const CONTEXT = 512;
const LONGEST_ANSWER = 120;

interface DemoFlags {
  readonly output: string;
  readonly types: string;
  readonly effort: string;
  readonly threads?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What a file says to each question, always with the most likely token. */
function answersOf(flags: EngineFlags): Promise<string[]> {
  return withEngine(
    flags,
    () => ({ contextSize: CONTEXT }),
    async (engine) => {
      const tokenizer = tokenizerOf(engine.model.file);
      const template = chatTemplateOf(engine.model.file, tokenizer);
      const session = await Session.open(engine);
      const answers: string[] = [];
      for (const content of QUESTIONS) {
        const prompt = template.encode([{ role: 'user', content }], { generationPrompt: true });
        session.rewind(0);
        const { text } = await answer(
          generate(session, tokenizer, prompt, { maxTokens: LONGEST_ANSWER }),
          () => {},
        );
        answers.push(withoutControls(text).trim().replaceAll('\n', ' '));
      }
      session.close();
      return answers;
    },
  );
}

/** The questions, and under each what the files say. */
async function conversation({ model, quants }: QuantSet, { output, threads }: DemoFlags): Promise<string> {
  const files = [
    { name: model.dtype.toUpperCase(), file: model.files[0].name },
    ...ASKED.flatMap((type) => {
      const quant = quants.find((one) => one.type === type);
      return quant ? [{ name: type, file: quant.files[0].name }] : [];
    }),
  ];
  const engine = {
    backend: DEFAULT_BACKEND,
    attention: 'flash',
    cacheType: 'f32',
    ...(threads ? { threads } : {}),
  };
  const said: string[][] = [];
  for (const { file } of files) said.push(await answersOf({ ...engine, model: path.join(output, file) }));
  const c = colours(process.stdout);
  const width = Math.max(...files.map(({ name }) => name.length));
  return QUESTIONS.map((question, i) =>
    [c.bold(question), ...files.map(({ name }, at) => `  ${c.dim(name.padEnd(width))}  ${said[at][i]}`)].join(
      '\n',
    ),
  ).join('\n');
}

function nextSteps(set: QuantSet, { output }: DemoFlags, card: readonly string[]): string {
  const c = colours(process.stdout);
  const pictures = card.filter((name) => name.endsWith('.png')).map((name) => path.join(output, name));
  const [worst] = set.quants;
  const smallest = path.join(output, worst?.files[0].name ?? '');
  const rows = [
    ['talk to it', `npx bitmill chat -m ${MODEL}`],
    ['or to the smallest file', `npx bitmill chat -m ${smallest}`],
    ['both side by side', `npx bitmill serve -m ${MODEL} ${smallest}   (then http://127.0.0.1:8080)`],
    ['your own model', 'npx bitmill make CHECKPOINT -o DIR --calibration TEXT --eval-text TEXT'],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return [
    `${c.bold('Card')}   ${path.join(output, card.find((name) => name.endsWith('.md')) ?? '')}`,
    ...(pictures.length > 0 ? [`${c.bold('Plots')}  ${pictures.join(' ')}`] : []),
    c.bold('Next'),
    ...rows.map(([label, command]) => `  ${label.padEnd(width)}  ${c.cyan(command)}`),
  ].join('\n');
}

async function demo(flags: DemoFlags): Promise<void> {
  const options = { eval: true, ctxSize: String(CONTEXT), recipes: [], maxKld: [] };
  const { set, failures, card } = await make(MODEL, { ...flags, ...options });
  if (flags.json) printJson(set);
  else {
    process.stdout.write(`\n${setTable(set)}\n\n${await conversation(set, flags)}\n\n`);
    process.stdout.write(`${nextSteps(set, flags, card)}\n`);
  }
  if (failures.length > 0) throw failures[0];
}

export function defineDemo(command: Command): void {
  command
    .name('demo')
    .description(
      `make every quant of ${MODEL}, the model that ships with bitmill, and see what each still knows`,
    )
    .option('-o, --output <folder>', 'where everything goes', 'bitmill-demo')
    .option('-t, --types <list>', 'file types as in quantize', 'all')
    .option('--effort <effort>', 'fast or best', 'fast')
    .option('--threads <n>', 'worker threads (default: all cores)')
    .option('--json', 'print bitmill.json')
    .option('-q, --quiet', 'no progress')
    .action(demo);
}
