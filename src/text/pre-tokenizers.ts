/**
 * How byte-level vocabularies split text before merging, by the name that a GGUF gives (`tokenizer.ggml.pre`). The
 * names and what they stand for are llama.cpp's, so that the same file gives the same ids in both; where its
 * expressions are approximations of a model's own (gpt-4o, tekken), it is these that count here.
 */

/** Unicode's white space. JavaScript's \s has U+FEFF and lacks U+0085. */
const S = '\\p{White_Space}';
const NOT_S = '\\P{White_Space}';

/** Runs of white space, all but the space before a word. */
const SPACES = `${S}+(?!${NOT_S})|${S}+`;
const LINES = `${S}*[\\r\\n]+|${SPACES}`;

const CONTRACTIONS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";

/** One character that may stand before a word, such as a space or a bracket. */
const LEAD = '[^\\r\\n\\p{L}\\p{N}]?';

const MARKS = `[^${S}\\p{L}\\p{N}]+`;

const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?${MARKS}|${SPACES}`;

/** GPT-4's splitter and its descendants. */
const gpt4 = (digits: string): string =>
  `${CONTRACTIONS}|${LEAD}\\p{L}+|${digits}| ?${MARKS}[\\r\\n]*|${LINES}`;

/** Letters that are no lower-case (no upper-case) ASCII: words are split where case rises. */
const RISEN = '[\\p{L}--[a-z]]';
const FALLEN = '[\\p{L}--[A-Z]]';
const cased = (suffix: string): string =>
  `${LEAD}${RISEN}*${FALLEN}+${suffix}|${LEAD}${RISEN}+${FALLEN}*${suffix}`;

const ASCII_MARK = '[!-\\/:-@\\[-`\\{-~]';
const KANA_AND_HAN = '[\\u4e00-\\u9fa5\\u3040-\\u30ff]+';
const DEEPSEEK_WORDS =
  `${ASCII_MARK}[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+` +
  `| ?[\\p{P}\\p{S}]+[\\r\\n]*|${LINES}`;

/** BLOOM's: anything but white space and some punctuation. */
const BLOOM = ` ?[^\\(${S}\\|.,!?…。，、।۔،\\)]+`;

/** Expressions (with the flag v) in the order in which they are applied. */
const SPLITTERS = {
  default: ['[\\p{P}$+<=>^~\\|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'],
  gpt2: [GPT2],
  digits: ['\\p{N}', GPT2],
  llama3: [gpt4('\\p{N}{1,3}')],
  qwen2: [gpt4('\\p{N}')],
  qwen35: [`${CONTRACTIONS}|${LEAD}[\\p{L}\\p{M}]+|\\p{N}| ?[^${S}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${LINES}`],
  gpt4o: [`${cased(`(?:${CONTRACTIONS})?`)}|\\p{N}{1,3}| ?${MARKS}[\\r\\n\\/]*|${LINES}`],
  tekken: [`${cased('')}|\\p{N}| ?${MARKS}[\\r\\n\\/]*|${LINES}`],
  falcon: ['[\\p{P}$+<=>^~\\|`]+', GPT2, '[0-9][0-9][0-9]'],
  deepseek3: ['\\p{N}{1,3}', KANA_AND_HAN, DEEPSEEK_WORDS],
  bloom: [BLOOM],
  viking: [BLOOM, '\\p{N}'],
  chameleon: [
    '<sentinel:[0-9]+>',
    'IMGIMG[A-I]{1,4}Z',
    '[\\t\\n]|    |  ',
    '\\p{N}',
    '[\\p{P}!-\\/:-@\\[-`\\{-~]',
    GPT2,
  ],
  bailing: [
    `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${LEAD}\\p{L}+|\\p{N}| ?${MARKS}[\\r\\n]*|${S}*[\\r\\n]|${SPACES}`,
  ],
  seedCoder: [`${CONTRACTIONS}|${LEAD}\\p{L}+|\\p{N}| ?[^${S}\\p{L}\\p{N}\\r\\n]+|${LINES}`],
  exaoneMoe: [
    `${CONTRACTIONS}|${LEAD}(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?${MARKS}[\\r\\n\\/]?` +
      `|${S}*[\\r\\n]|${SPACES}`,
  ],
  minicpm5: ['\\p{N}{1,3}', gpt4('\\p{N}+')],
  laguna: ['[^\\n]+|\\n+', gpt4('\\p{N}')],
  turkish: [`${LEAD}\\p{L}+|\\p{N}| ?${MARKS}[\\r\\n]*|${LINES}`],
} as const satisfies Record<string, readonly string[]>;

interface Row {
  readonly splitter: keyof typeof SPLITTERS;
  readonly names: readonly string[];
  /** Words that are tokens are taken unmerged. */
  readonly wholeWords?: boolean;
  /** BOS goes first unless the file says otherwise. */
  readonly addBos?: boolean;
}

const ROWS: readonly Row[] = [
  { splitter: 'default', names: ['default'] },
  {
    splitter: 'llama3',
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'],
    wholeWords: true,
    addBos: true,
  },
  { splitter: 'llama3', names: ['dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'] },
  {
    splitter: 'gpt2',
    names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'trillion', 'granite-docling', 'exaone4', 'gigachat'],
  },
  { splitter: 'gpt2', names: ['a.x-4.0', 'mellum', 'modern-bert', 'roberta-bpe', 'jina-es', 'jina-de'] },
  { splitter: 'gpt2', names: ['jina-v1-en', 'jina-v2-es', 'jina-v2-de', 'jina-v2-code'] },
  {
    splitter: 'digits',
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
  },
  { splitter: 'qwen2', names: ['qwen2', 'deepseek-r1-qwen', 'kormo', 'f2llmv2', 'megrez', 'stablelm2'] },
  { splitter: 'qwen2', names: ['hunyuan', 'solar-open', 'grok-2'] },
  { splitter: 'qwen35', names: ['qwen35'] },
  { splitter: 'gpt4o', names: ['gpt-4o', 'llama4', 'kanana2', 'talkie', 'minimax-m2'] },
  { splitter: 'tekken', names: ['tekken'], wholeWords: true, addBos: true },
  { splitter: 'falcon', names: ['falcon'] },
  { splitter: 'deepseek3', names: ['deepseek-v3', 'hunyuan-dense', 'joyai-llm', 'hy_v4'] },
  { splitter: 'bloom', names: ['bloom', 'gpt3-finnish', 'poro-chat'] },
  { splitter: 'viking', names: ['viking'] },
  { splitter: 'chameleon', names: ['chameleon'], addBos: true },
  { splitter: 'bailing', names: ['bailingmoe', 'bailingmoe2', 'llada-moe'] },
  { splitter: 'seedCoder', names: ['seed-coder'] },
  { splitter: 'exaoneMoe', names: ['exaone-moe'] },
  { splitter: 'minicpm5', names: ['minicpm5'], wholeWords: true },
  { splitter: 'laguna', names: ['laguna'] },
  { splitter: 'turkish', names: ['ufakzeka'] },
];

export interface PreTokenizer {
  /** Names that share it split alike. */
  readonly splitter: keyof typeof SPLITTERS;
  readonly wholeWords: boolean;
  readonly addBos: boolean;
}

/** By the name in `tokenizer.ggml.pre`. */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map(
  ROWS.flatMap(({ splitter, names, wholeWords = false, addBos = false }) =>
    names.map((name) => [name, { splitter, wholeWords, addBos }] as const),
  ),
);

const compiled = new Map<keyof typeof SPLITTERS, readonly RegExp[]>();

/** The expressions of a splitter, compiled when they are first asked for. */
export function patternsOf({ splitter }: PreTokenizer): readonly RegExp[] {
  const patterns = compiled.get(splitter) ?? SPLITTERS[splitter].map((source) => new RegExp(source, 'gv'));
  compiled.set(splitter, patterns);
  return patterns;
}
