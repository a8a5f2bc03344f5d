/**
 * Which of llama.cpp's pre-tokenizers splits text as a tokenizer.json does. The steps of its `pre_tokenizer` are
 * written as one line each and looked up; an unknown splitting is an error, never a guess.
 */
import { inputError } from '../../core/index.ts';
import { isRecord, type JsonRecord } from '../config.ts';

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const TAIL = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const START = '[^\\r\\n\\p{L}\\p{N}]?';

/** Regex of GPT-4's splitter with groups of up to `digits` digits. */
function gpt4(digits: string): string {
  return `${CONTRACTIONS}|${START}\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${TAIL}`;
}

const GPT4O = `${START}${UPPER}*${LOWER}+${CONTRACTIONS}?|${START}${UPPER}+${LOWER}*${CONTRACTIONS}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${TAIL}`;
const TEKKEN = `${START}${UPPER}*${LOWER}+|${START}${UPPER}+${LOWER}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${TAIL}`;

interface Fingerprint {
  readonly pre: string;
  readonly steps: readonly string[];
  /** `model.ignore_merges`, where it decides: whole words of the vocabulary are taken unmerged. */
  readonly ignoreMerges?: boolean;
}

/** Known splittings. `pre` is the value of tokenizer.ggml.pre. */
const FINGERPRINTS: readonly Fingerprint[] = [
  { pre: 'gpt-2', steps: ['bytes words'] },
  { pre: 'smollm', steps: ['digits one', 'bytes words'] },
  { pre: 'llama-bpe', steps: [`split ${gpt4('\\p{N}{1,3}')}`, 'bytes'], ignoreMerges: true },
  { pre: 'dbrx', steps: [`split ${gpt4('\\p{N}{1,3}')}`, 'bytes'], ignoreMerges: false },
  { pre: 'qwen2', steps: [`split ${gpt4('\\p{N}')}`, 'bytes'] },
  { pre: 'gpt-4o', steps: [`split ${GPT4O}`, 'bytes'] },
  { pre: 'tekken', steps: [`split ${TEKKEN}`, 'bytes'] },
];

/** One pre-tokenizer as steps in words; a step that has no word keeps its JSON, so that it matches nothing. */
function stepsOf(step: unknown): string[] {
  if (!isRecord(step)) return [`unknown ${JSON.stringify(step)}`];
  const nested = step['pretokenizers'];
  if (step['type'] === 'Sequence' && Array.isArray(nested)) return nested.flatMap(stepsOf);
  if (step['type'] === 'ByteLevel' && step['add_prefix_space'] !== true) {
    return [step['use_regex'] === false ? 'bytes' : 'bytes words'];
  }
  if (step['type'] === 'Digits' && step['individual_digits'] === true) return ['digits one'];
  const pattern = step['pattern'];
  const splits = step['type'] === 'Split' && step['behavior'] === 'Isolated' && step['invert'] !== true;
  if (splits && isRecord(pattern) && typeof pattern['Regex'] === 'string')
    return [`split ${pattern['Regex']}`];
  return [`unknown ${JSON.stringify(step)}`];
}

/** Names that are detected, for messages. */
export const KNOWN_PRE: readonly string[] = FINGERPRINTS.map(({ pre }) => pre);

/**
 * The value of tokenizer.ggml.pre for a byte-level tokenizer.json.
 * @throws input error: the splitting is none of the known ones.
 */
export function detectPre(tokenizer: JsonRecord, model: JsonRecord, place: string): string {
  const steps = stepsOf(tokenizer['pre_tokenizer']);
  const ignoreMerges = model['ignore_merges'] === true;
  const found = FINGERPRINTS.find(
    (known) =>
      known.steps.length === steps.length &&
      known.steps.every((step, i) => step === steps[i]) &&
      (known.ignoreMerges ?? ignoreMerges) === ignoreMerges,
  );
  if (found) return found.pre;
  throw inputError(
    place,
    `its pre_tokenizer is none that bitmill knows: ${steps.join('; ').slice(0, 300)}`,
    `if llama.cpp has one that splits alike, name it with --pre NAME (known here: ${KNOWN_PRE.join(', ')})`,
  );
}
