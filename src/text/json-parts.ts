/**
 * Normalizers and pre-tokenizers of a tokenizer.json as functions. Each kind is a row of a table; a kind without a
 * row is an error, never a guess.
 */
import { inputError } from '../core/index.ts';
import { quoted } from '../gguf/index.ts';
import { asRecord } from '../hf/index.ts';
import { literal, regexOf } from './regex.ts';
import { splitBy } from './split.ts';

export type JsonRecord = Readonly<Record<string, unknown>>;

export type Normalizer = (text: string) => string;

/** @param first the pieces begin the whole text. */
export type Cutter = (pieces: readonly string[], first: boolean) => readonly string[];

/** GPT-2's splitter, which ByteLevel has built in. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** The string under a name. @throws input error: something else is there. */
function text(record: JsonRecord, name: string, place: string, otherwise?: string): string {
  const value = record[name] ?? otherwise;
  if (typeof value === 'string') return value;
  throw inputError(place, `${name} is ${quoted(JSON.stringify(value) ?? 'missing')}, not a string`);
}

function list(record: JsonRecord, name: string, place: string): readonly unknown[] {
  const value = record[name];
  if (Array.isArray(value)) return value;
  throw inputError(place, `${name} is not a list`);
}

/** A pattern is a text to be found literally or an expression. */
function patternOf(record: JsonRecord, place: string): RegExp {
  const pattern = asRecord(record['pattern'], `${place}: pattern`);
  if (typeof pattern['String'] === 'string') return literal(pattern['String']);
  return regexOf(text(pattern, 'Regex', `${place}: pattern`), place);
}

type Kinds<T> = Readonly<Record<string, (record: JsonRecord, place: string) => T>>;

/** Looks up the row for a value's type. */
function build<T>(kinds: Kinds<T>, value: unknown, place: string): T {
  const record = asRecord(value, place);
  const type = text(record, 'type', place);
  if (Object.hasOwn(kinds, type)) return kinds[type](record, `${place} ${type}`);
  const known = Object.keys(kinds).join(', ');
  throw inputError(place, `is of type ${quoted(type)}, which is not known here`, `known are ${known}`);
}

function normalization(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): () => Normalizer {
  return () => (value) => value.normalize(form);
}

const NORMALIZERS: Kinds<Normalizer> = {
  Sequence: (record, place) => {
    const steps = list(record, 'normalizers', place).map((step) => build(NORMALIZERS, step, place));
    return (value) => steps.reduce((done, step) => step(done), value);
  },
  Prepend: (record, place) => {
    const prepend = text(record, 'prepend', place);
    return (value) => (value === '' ? '' : prepend + value);
  },
  Replace: (record, place) => {
    const pattern = patternOf(record, place);
    const content = text(record, 'content', place);
    return (value) => value.replaceAll(pattern, () => content);
  },
  NFC: normalization('NFC'),
  NFD: normalization('NFD'),
  NFKC: normalization('NFKC'),
  NFKD: normalization('NFKD'),
  Lowercase: () => (value) => value.toLowerCase(),
  Strip: (record) => (value) => {
    const left = record['strip_left'] === false ? value : value.replace(/^\p{White_Space}+/u, '');
    return record['strip_right'] === false ? left : left.replace(/\p{White_Space}+$/u, '');
  },
};

/** What becomes of a match: its own piece, nothing, or a part of the piece before or behind. */
const BEHAVIOURS: Readonly<Record<string, (pieces: readonly Piece[]) => readonly string[]>> = {
  Isolated: (pieces) => pieces.map(({ text }) => text),
  Removed: (pieces) => pieces.filter(({ matches }) => !matches).map(({ text }) => text),
  MergedWithPrevious: (pieces) => glue(pieces, (before, { matches }) => matches && !before.matches),
  MergedWithNext: (pieces) => glue(pieces, (before, { matches }) => before.matches && !matches),
  Contiguous: (pieces) => glue(pieces, (before, { matches }) => before.matches === matches),
};

interface Piece {
  readonly text: string;
  readonly matches: boolean;
}

/** Joins neighbours where `joins` says so. */
function glue(pieces: readonly Piece[], joins: (before: Piece, piece: Piece) => boolean): string[] {
  const glued: string[] = [];
  pieces.forEach((piece, i) => {
    if (i > 0 && joins(pieces[i - 1], piece)) glued[glued.length - 1] += piece.text;
    else glued.push(piece.text);
  });
  return glued;
}

/** Splits by a pattern; with `invert` what lies between counts as the match. */
function cutter(pattern: RegExp, behaviour: string, invert: boolean, place: string): Cutter {
  const arrange = Object.hasOwn(BEHAVIOURS, behaviour) ? BEHAVIOURS[behaviour] : undefined;
  if (!arrange) throw inputError(place, `its behavior is ${quoted(behaviour)}, which is not known here`);
  if (behaviour === 'Isolated') return (pieces) => pieces.flatMap((piece) => splitBy(piece, [pattern]));
  return (pieces) => pieces.flatMap((piece) => arrange(marked(piece, pattern, invert)));
}

function marked(piece: string, pattern: RegExp, invert: boolean): Piece[] {
  const found: Piece[] = [];
  let done = 0;
  const add = (end: number, matches: boolean): void => {
    if (end > done) found.push({ text: piece.slice(done, end), matches: matches !== invert });
    done = Math.max(done, end);
  };
  for (const match of piece.matchAll(pattern)) {
    add(match.index, false);
    add(match.index + match[0].length, true);
  }
  add(piece.length, false);
  return found;
}

/** Whether Metaspace puts its symbol in front of every stretch, of the first only, or of none. */
export function prependScheme(record: JsonRecord): 'always' | 'first' | 'never' {
  const scheme = record['prepend_scheme'];
  if (scheme === 'first' || scheme === 'never') return scheme;
  return record['add_prefix_space'] === false ? 'never' : 'always';
}

function metaspace(record: JsonRecord, place: string): Cutter {
  const symbol = text(record, 'replacement', place, '▁');
  const scheme = prependScheme(record);
  const words =
    record['split'] === false ? undefined : cutter(literal(symbol), 'MergedWithNext', false, place);
  return (pieces, first) => {
    const spaced = pieces.map((piece, i) => {
      const written = piece.replaceAll(' ', symbol);
      const prepends = scheme === 'always' || (scheme === 'first' && first && i === 0);
      return prepends && !written.startsWith(symbol) ? symbol + written : written;
    });
    return words ? words(spaced, first) : spaced;
  };
}

function byteLevel(record: JsonRecord, place: string): Cutter {
  const prefix = record['add_prefix_space'] === true;
  const words = record['use_regex'] === false ? undefined : regexOf(WORDS, place);
  return (pieces) => {
    const spaced = prefix ? pieces.map((piece) => (piece.startsWith(' ') ? piece : ` ${piece}`)) : pieces;
    return words ? spaced.flatMap((piece) => splitBy(piece, [words])) : spaced;
  };
}

const CUTTERS: Kinds<Cutter> = {
  Sequence: (record, place) => {
    const steps = list(record, 'pretokenizers', place).map((step) => build(CUTTERS, step, place));
    return (pieces, first) => steps.reduce((done, step) => step(done, first), pieces);
  },
  Split: (record, place) =>
    cutter(patternOf(record, place), text(record, 'behavior', place), record['invert'] === true, place),
  Digits: (record, place) =>
    cutter(record['individual_digits'] === true ? /\p{N}/gu : /\p{N}+/gu, 'Isolated', false, place),
  Punctuation: (record, place) =>
    cutter(/[\p{P}!-/:-@[-`{-~]/gu, text(record, 'behavior', place, 'Isolated'), false, place),
  WhitespaceSplit: (_, place) => cutter(/\p{White_Space}/gu, 'Removed', false, place),
  ByteLevel: byteLevel,
  Metaspace: metaspace,
};

const same = (value: string): string => value;

/** @throws input error: of an unknown type, or malformed. */
export function normalizerOf(value: unknown, place: string): Normalizer {
  return value === null || value === undefined ? same : build(NORMALIZERS, value, `${place}: normalizer`);
}

/** @throws input error: of an unknown type, or malformed. */
export function cutterOf(value: unknown, place: string): Cutter {
  if (value === null || value === undefined) return (pieces) => pieces;
  return build(CUTTERS, value, `${place}: pre_tokenizer`);
}
