/** A tiny random checkpoint with the texts that `make` finds beside it, and what a folder of a set holds. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PHI3 = fileURLToPath(new URL('fixtures/tiny-models/phi3/', import.meta.url));

const TEMPLATE =
  "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|endoftext|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** Writes the checkpoint: 2 layers of 32, a vocabulary of 272, calibration.txt, evaluation.txt, exam.jsonl. */
export function writeMakeCheckpoint(folder: string): void {
  cpSync(PHI3, folder, { recursive: true, filter: (file) => !file.endsWith('logits.json') });
  const at = (name: string) => path.join(folder, name);
  const config = JSON.parse(readFileSync(at('tokenizer_config.json'), 'utf8')) as object;
  writeFileSync(at('tokenizer_config.json'), JSON.stringify({ ...config, chat_template: TEMPLATE }));
  writeFileSync(at('calibration.txt'), 'The quick brown fox jumps over the lazy dog.\n'.repeat(40));
  writeFileSync(at('evaluation.txt'), 'One two three four five six seven eight nine ten.\n'.repeat(12));
  const questions = Array.from({ length: 6 }, (_, i) => ({
    category: i % 2 === 0 ? 'even' : 'odd',
    question: `What comes after ${i}?`,
    answer: String(i + 1),
  }));
  writeFileSync(at('exam.jsonl'), `${questions.map((one) => JSON.stringify(one)).join('\n')}\n`);
}

/** All files of a set by path, without what is not published; of bitmill.json all but the times. */
export function publishedFiles(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => !name.startsWith('.bitmill/'))
    .sort();
  return new Map(
    names.map((name) => {
      const bytes = readFileSync(path.join(folder, name));
      if (name !== 'bitmill.json') return [name, bytes.toString('latin1')];
      const { steps: _, ...set } = JSON.parse(bytes.toString('utf8')) as { steps: unknown };
      return [name, JSON.stringify(set)];
    }),
  );
}
