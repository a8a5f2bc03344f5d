/**
 * A KL base: what the original model predicts on a text, kept in a file, so that quants can be measured without the
 * original. Two forms: bitmill's own (final hidden states and the output matrix, `state-base.ts`) and llama.cpp's
 * (log-probabilities in 16 bits, `logits-base.ts`). A base knows its tokens and settings; what is measured against it
 * must agree with them. Letters: S rows, V vocabulary.
 */
import type { Backend, Buffer, Program } from '../backends/index.ts';
import { inputError } from '../core/index.ts';
import type { HeadResult, RowRange } from '../generate/index.ts';
import { type Window, type WindowSettings, windowsOf } from './windows.ts';

/** Where a base comes from; for messages and for checks. Hashes are SHA-256 in hex. */
export interface BaseOrigin {
  readonly model: string;
  readonly modelHash: string;
  readonly text: string;
  /** Of the token strings; undefined for a model without a vocabulary. */
  readonly vocabularyHash: string | undefined;
}

/** Base predictions of some rows, on the backend. */
export interface LoadedRows {
  /** Inputs and weights of `program`, beside `logits`, `targets` and `scores`. */
  readonly bind: ReadonlyMap<string, Buffer>;
  /** What the file itself says where it holds rounded probabilities; undefined where they are computed again. */
  readonly stored?: {
    /** Base nll of the targets, nats [S]. */
    readonly nll: Float64Array;
    /** Probability that the entries in use sum to, [S]. */
    readonly mass: Float64Array;
  };
}

/** A base in use on a backend. */
export interface BaseFeed {
  /** `logits` [S, V], `targets` i32 [S, 1] and what `load` binds -> `scores` [S, 6], as the operation `divergence`. */
  readonly program: Program;
  load(window: number, rows: RowRange, targets: Int32Array): Promise<LoadedRows>;
  close(): void;
}

export interface KlBase {
  /** The file. */
  readonly name: string;
  readonly form: BaseForm;
  readonly vocabulary: number;
  /** BOS is undefined both where the model wants none and where the form does not say. */
  readonly settings: WindowSettings;
  /** Tokens of the text as far as the windows reach. */
  readonly tokens: Int32Array;
  readonly windows: number;
  readonly origin: BaseOrigin | undefined;
  /** Bytes that a feed takes on a backend beside its workspace, for up to `rows` rows at once. */
  feedBytes(rows: number): number;
  /** @param rows most rows that are loaded at once. */
  feed(backend: Backend, rows: number): Promise<BaseFeed>;
}

export const BASE_FORMS = ['bitmill', 'llama.cpp'] as const;
export type BaseForm = (typeof BASE_FORMS)[number];

/** Writes a base while a model is measured. */
export interface BaseRecorder {
  /** Rows of a window, in any order. */
  record(head: HeadResult): Promise<void>;
}

/** The side that is measured against a base. */
export interface Measured {
  /** The model file. */
  readonly name: string;
  readonly vocabulary: number;
  readonly vocabularyHash: string | undefined;
  readonly bos: number | undefined;
}

function show(token: number | undefined): string {
  return token === undefined ? 'no token' : `token ${token}`;
}

/** @throws input error: a model that does not go with the base; both are named. */
export function checkModelFits(base: KlBase, model: Measured): void {
  if (model.vocabulary !== base.vocabulary) {
    throw inputError(
      model.name,
      `has a vocabulary of ${model.vocabulary} tokens, the base ${base.name} one of ${base.vocabulary}`,
      'a base serves quants of the model that it was made from',
    );
  }
  const { origin, settings } = base;
  if (!origin) return;
  const { vocabularyHash } = origin;
  if (vocabularyHash && model.vocabularyHash && vocabularyHash !== model.vocabularyHash) {
    throw inputError(
      model.name,
      `its vocabulary is not that of ${origin.model}, which the base ${base.name} was made from`,
      `SHA-256 of the tokens: ${model.vocabularyHash} and ${vocabularyHash}`,
    );
  }
  if (model.bos !== settings.bos) {
    throw inputError(
      model.name,
      `puts ${show(model.bos)} before a text, the base ${base.name} was made with ${show(settings.bos)}`,
    );
  }
}

/** @throws input error: a text that begins with other tokens than those of the base. */
export function checkTextFits(base: KlBase, tokens: Int32Array, text: string): void {
  const from = base.origin ? ` (made from ${base.origin.text})` : '';
  const at = base.tokens.findIndex((token, i) => tokens[i] !== token);
  if (at < 0) return;
  throw inputError(
    text,
    `has ${show(tokens[at])} at position ${at}, the base ${base.name}${from} has ${show(base.tokens[at])}: another text`,
    'without -f the tokens of the base are used',
  );
}

/** @throws input error: an option that differs from what the base was made with. */
export function checkSettingsFit(
  base: KlBase,
  wanted: { readonly contextSize?: number | undefined; readonly stride?: number | undefined },
): void {
  const { contextSize, stride } = base.settings;
  if (wanted.contextSize !== undefined && wanted.contextSize !== contextSize) {
    throw inputError(
      base.name,
      `was made with a context of ${contextSize}; -c ${wanted.contextSize} is asked for`,
    );
  }
  if (wanted.stride !== undefined && wanted.stride !== stride) {
    throw inputError(
      base.name,
      `was made with a stride of ${stride}; --stride ${wanted.stride} is asked for`,
    );
  }
}

/** The windows of a base, BOS of the model in place. @param limit windows at most. */
export function baseWindows(base: KlBase, bos: number | undefined, limit = base.windows): Window[] {
  return windowsOf(base.tokens, { ...base.settings, bos }, base.name, Math.min(limit, base.windows));
}

/** @throws input error: a token that is not in the vocabulary. @param place where the tokens stand. */
export function checkTokens(tokens: Int32Array, vocabulary: number, place: string): void {
  const at = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (at >= 0) {
    throw inputError(place, `token ${tokens[at]} at position ${at}: ids 0 to ${vocabulary - 1} are allowed`);
  }
}
