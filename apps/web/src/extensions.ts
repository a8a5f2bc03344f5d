/**
 * Where other parts plug into the chat: a slot in the composer, one below each turn, one in the settings, and two
 * hooks: before a question goes out and after an answer has come. Hooks run in the order of the list; each sees what
 * the one before made. Attachments with retrieval and the safety check are extensions.
 */
import type { ComponentType } from 'preact';
import type { Message, Provider } from './provider.ts';
import { localExtension } from './providers/local/index.ts';
import { filesExtension } from './retrieval/index.ts';
import { safetyExtension } from './safety/index.ts';
import type { Notes, Turn } from './state/tree.ts';

/** What is about to be asked. */
export interface Outgoing {
  /** Id of the conversation. */
  readonly conversation: string;
  /** The text of the last question, as it was typed. */
  readonly question: string;
  /** All that goes out, system prompt first, the question last. */
  readonly messages: readonly Message[];
  readonly model: string;
  readonly provider: Provider;
  readonly signal: AbortSignal;
  /** Kept with the answer; an extension adds what is its own under its name. */
  readonly notes: Notes;
}

/** An answer, whole or as far as it came. */
export interface Incoming {
  readonly outgoing: Outgoing;
  readonly text: string;
  readonly notes: Notes;
}

/** A hook's no: what the person reads instead. */
export interface Refusal {
  readonly refused: string;
}

export interface SlotProps {
  /** Id of the conversation. */
  readonly conversation: string;
}

export interface TurnSlotProps extends SlotProps {
  readonly turn: Turn;
}

export interface Extension {
  /** Its key in `notes`. */
  readonly name: string;
  /** In the composer above the text: what is attached. */
  readonly ComposerTop?: ComponentType<SlotProps>;
  /** In the composer's row of buttons. */
  readonly ComposerButton?: ComponentType<SlotProps>;
  /** Below a turn: its sources. */
  readonly BelowTurn?: ComponentType<TurnSlotProps>;
  /** A section of the settings. */
  readonly Settings?: ComponentType;
  /** What is thrown is shown as the answer's failure. */
  beforeSend?(outgoing: Outgoing): Promise<Outgoing | Refusal>;
  /** What came stays hidden behind the refusal's sentence where it is refused. */
  afterAnswer?(incoming: Incoming): Promise<Incoming | Refusal>;
}

export const isRefusal = (value: object): value is Refusal => 'refused' in value;

/** All of them; a line each. */
export const EXTENSIONS: readonly Extension[] = [filesExtension(), localExtension(), safetyExtension()];

/** @param extensions in their order. */
export async function beforeSend(
  outgoing: Outgoing,
  extensions: readonly Extension[],
): Promise<Outgoing | Refusal> {
  let current = outgoing;
  for (const extension of extensions) {
    const next = (await extension.beforeSend?.(current)) ?? current;
    if (isRefusal(next)) return next;
    current = next;
  }
  return current;
}

/** @param extensions in their order. */
export async function afterAnswer(
  incoming: Incoming,
  extensions: readonly Extension[],
): Promise<Incoming | Refusal> {
  let current = incoming;
  for (const extension of extensions) {
    const next = (await extension.afterAnswer?.(current)) ?? current;
    if (isRefusal(next)) return next;
    current = next;
  }
  return current;
}
