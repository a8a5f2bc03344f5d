/** The safety check as an extension of the chat. It stands last, so that it sees what really goes out. */
import type { Extension } from '../extensions.ts';
import type { AnswerEnd, ChatRequest, Delta, Provider } from '../provider.ts';
import { ALLOW, allOf, type SafetyCheck, type Verdict } from './check.ts';
import { BlockedError, guarded } from './guard.ts';
import { hostCheck } from './host.ts';
import { NAME, withWarning } from './notes.ts';
import { patternCheck } from './patterns.ts';
import { SafetyWarnings, safetySection } from './safety-section.tsx';
import { openSafetySettings } from './settings.ts';
import './safety.css';

/** Kept where the browser keeps anything; there is no storage at all where tests run. */
const SETTINGS = openSafetySettings(globalThis.localStorage);

let fromHost: Promise<SafetyCheck | undefined> | undefined;

/** A host's check that does not load blocks all. */
function hostsOwn(): Promise<SafetyCheck | undefined> {
  if (!globalThis.document) return Promise.resolve(undefined);
  fromHost ??= hostCheck(document).catch((error: unknown): SafetyCheck => {
    const reason = `This page's safety check could not be loaded, so nothing passes: ${String(error)}`;
    return { name: 'missing', input: () => ({ kind: 'block', reason }) };
  });
  return fromHost;
}

/** What is checked now: the host's check and the list, where they are on. */
async function currentCheck(): Promise<SafetyCheck | undefined> {
  const settings = SETTINGS.peek();
  const own = settings.on ? patternCheck(settings) : undefined;
  return allOf([await hostsOwn(), own].filter((check) => check !== undefined));
}

/** Other views than the chat: a provider that checks as the chat does. */
export function checkedProvider(provider: Provider): Provider {
  return {
    ...provider,
    chat: async function* (request) {
      const check = await currentCheck();
      return yield* (check ? guarded(provider, check) : provider).chat(request);
    },
  };
}

/** A blocked answer is no failure: it ends, and what it was is asked for afterwards. */
function quiet(provider: Provider): Provider {
  const chat = async function* (request: ChatRequest): AsyncGenerator<Delta, AnswerEnd> {
    try {
      return yield* provider.chat(request);
    } catch (error) {
      if (!(error instanceof BlockedError)) throw error;
      return { reason: 'stop', promptTokens: 0, completionTokens: 0 };
    }
  };
  return { ...provider, chat };
}

/** @param current tells the check; tests bring their own. */
export function safetyExtension(current: () => Promise<SafetyCheck | undefined> = currentCheck): Extension {
  /** By guarded provider: how the answer was found. */
  const verdicts = new WeakMap<Provider, Verdict>();
  return {
    name: NAME,
    Settings: safetySection(SETTINGS),
    BelowTurn: SafetyWarnings,
    beforeSend: async (outgoing) => {
      const check = await current();
      if (!check) return outgoing;
      const asked = (await check.input?.(outgoing.messages, outgoing.signal)) ?? ALLOW;
      if (asked.kind === 'block') return { refused: asked.reason };
      const { input: _asked, ...rest } = check;
      const provider = quiet(guarded(outgoing.provider, rest, (verdict) => verdicts.set(provider, verdict)));
      const notes = asked.kind === 'warn' ? withWarning(outgoing.notes, asked.reason) : outgoing.notes;
      return { ...outgoing, notes, provider };
    },
    afterAnswer: async (incoming) => {
      const verdict = verdicts.get(incoming.outgoing.provider) ?? ALLOW;
      if (verdict.kind === 'block') return { refused: verdict.reason };
      return verdict.kind === 'warn'
        ? { ...incoming, notes: withWarning(incoming.notes, verdict.reason) }
        : incoming;
    },
  };
}
