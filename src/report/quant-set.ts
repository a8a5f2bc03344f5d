/**
 * What a folder of quants says of itself, in `bitmill.json`: which model it was made of, with what, what each file is
 * and what it lost. `bitmill make` writes it, the model card is made from it alone, anyone may read it.
 */
import { z } from 'zod';

/** The file's name in the folder of the set. */
export const SET_FILE = 'bitmill.json';

/** Work of `make` that is not published: its journal, the base of the divergences. A folder in that of the set. */
export const WORK_FOLDER = '.bitmill';

const count = z.int().nonnegative();
/** A plain file name: nothing that leads out of the folder of the set. */
const fileName = z.string().regex(/^(?!\.\.?$)[^/\\\0]+$/, 'is not a plain file name');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 in hex');

/** A file of the set; of a model in shards each one. */
const file = z.object({ name: fileName, bytes: count, sha256 });

/** Something that was read: its name without a folder, its hash. */
const input = z.object({
  role: z.enum(['checkpoint', 'calibration', 'evaluation', 'exam', 'recipe']),
  name: z.string(),
  bytes: count,
  sha256,
});

/** Right answers of an exam, in all and by category. */
const score = z.object({ right: count, total: count });
const exam = score.extend({ categories: z.record(z.string(), score) });

/**
 * Figures by the names of `evaluate` (`ppl`, `kld_mean`, `kld_p999`, `same_top` …), with `_se` (standard error) and
 * `_ci` (the bootstrap's interval) beside them, as `bitmill perplexity --json` prints them.
 */
const figures = z.record(
  z.string(),
  z.union([z.number(), z.null(), z.tuple([z.number().nullable(), z.number().nullable()])]),
);

/** Importance-weighted squared error of a tensor, relative to its weighted squares, and the format it is in. */
const tensorError = z.object({ format: z.string(), error: z.number().nonnegative() });

const quant = z.object({
  /** File type or recipe: `Q4_K_M`. */
  type: z.string(),
  /** One, or all shards in order. */
  files: z.array(file).min(1),
  bytes: count,
  bitsPerWeight: z.number().positive(),
  figures: figures.optional(),
  exam: exam.optional(),
  /** By tensor name; only those that are quantized. Estimated on a sample of rows where `sampledRows` says so. */
  errors: z.record(z.string(), tensorError).optional(),
});

const model = z.object({
  /** `general.name`. */
  name: z.string(),
  /** Where it came from: a repository's id, or the name of a folder or file. */
  source: z.string(),
  /** Repository id for the card's `base_model`, where it is known. */
  baseModel: z.string().optional(),
  revision: z.string().optional(),
  architecture: z.string(),
  parameters: count,
  layers: count,
  contextLength: count,
  vocabulary: count,
  /** Numbers that a token adds to the cache of keys and values, all layers together: what a context costs in memory. */
  cacheWidth: count.optional(),
  license: z.string().optional(),
  licenseName: z.string().optional(),
  licenseLink: z.string().optional(),
  languages: z.array(z.string()),
  tags: z.array(z.string()),
  /** A conversation rendered by the model's own template, control tokens and all; none where it has no template. */
  chatExample: z.string().optional(),
  /** Type of the matrices: bf16, f16, f32. */
  dtype: z.string(),
  files: z.array(file).min(1),
  bytes: count,
  bitsPerWeight: z.number().positive(),
});

const imatrix = z.object({
  file,
  chunks: count,
  contextSize: count,
  tokens: count,
  /** Whether control tokens in the text were read as such. */
  parseSpecial: z.boolean(),
});

const evaluation = z.object({
  /** Name of the text. */
  text: z.string(),
  chunks: count,
  contextSize: count,
  /** Predictions that were scored. */
  tokens: count,
  parseSpecial: z.boolean(),
  /** Of the original: `ppl`, `ppl_se`, `ppl_ci`. */
  figures,
  exam: exam.optional(),
});

const step = z.object({ name: z.string(), seconds: z.number().nonnegative() });

export const QUANT_SET = z.object({
  version: z.literal(1),
  /** Version of the program. */
  bitmill: z.string(),
  model,
  inputs: z.array(input),
  imatrix: imatrix.optional(),
  evaluation: evaluation.optional(),
  /** What computed importance and losses: a backend, and the level of its machine code where it has several. */
  computed: z.object({ backend: z.string(), level: z.string().optional() }).optional(),
  /** Settings of the quantization. */
  recipes: z.string(),
  effort: z.string(),
  /** Rows of a tensor that its error was estimated on at most; absent: all. */
  sampledRows: count.optional(),
  /** Smallest first. */
  quants: z.array(quant),
  /** Command lines that make the same set again, step by step. */
  commands: z.array(z.string()),
  /** How long each step took when it last ran; the only part that differs between two runs. */
  steps: z.array(step),
});

export type QuantSet = z.infer<typeof QUANT_SET>;
export type QuantEntry = z.infer<typeof quant>;
export type SetFile = z.infer<typeof file>;
export type ExamScore = z.infer<typeof exam>;
export type TensorErrors = Readonly<Record<string, z.infer<typeof tensorError>>>;
