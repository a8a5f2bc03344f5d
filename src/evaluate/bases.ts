/** Both forms of KL bases behind one reader and one writer. */
import { type ByteSink, type ByteSource, inputError } from '../core/index.ts';
import type { Engine } from '../generate/index.ts';
import type { BaseForm, BaseOrigin, BaseRecorder, KlBase } from './base.ts';
import { hashModel, hashVocabulary } from './hash.ts';
import { MAGIC, readLogitsBase, recordLogits } from './logits-base.ts';
import { readStateBase, recordStates } from './state-base.ts';
import type { WindowSettings } from './windows.ts';

/** Opens a base of either form. @throws input error: neither, or malformed. */
export async function readBase(source: ByteSource): Promise<KlBase> {
  const start = await source.read(0, Math.min(source.size, MAGIC.length));
  const text = String.fromCharCode(...start);
  if (text === MAGIC) return readLogitsBase(source);
  if (text.startsWith('GGUF')) return readStateBase(source);
  const shown = JSON.stringify(text.replace(/[^ -~]/g, '?'));
  throw inputError(
    source.name,
    `starts with ${shown}, not with "GGUF" or "${MAGIC}": it is no KL base`,
    'perplexity --save-kl-base makes one',
  );
}

/** What a base is to hold. */
export interface BasePlan {
  readonly engine: Engine;
  readonly form: BaseForm;
  readonly settings: WindowSettings;
  readonly tokens: Int32Array;
  readonly windows: number;
  /** Name of the text. */
  readonly text: string;
}

/** Starts a base of the engine's model; hand the recorder to `measure`. */
export async function recordBase(sink: ByteSink, plan: BasePlan): Promise<BaseRecorder> {
  const { engine, form, settings, tokens, windows, text } = plan;
  const { file, hyper } = engine.model;
  if (form === 'llama.cpp') {
    return recordLogits(sink, engine.backend, hyper.vocabulary, settings, tokens, windows);
  }
  const origin: BaseOrigin = {
    model: file.name,
    modelHash: await hashModel(file),
    text,
    vocabularyHash: await hashVocabulary(file),
  };
  return recordStates(sink, { engine, settings, tokens, windows, origin });
}
