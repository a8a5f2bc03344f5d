/** Whether the list of words is on, and what is on it; kept in this browser. Off by default. */
import { effect, type Signal, signal } from '@preact/signals';
import type { KeyValue } from '../state/settings.ts';
import type { PatternOptions } from './patterns.ts';

export interface SafetySettings extends PatternOptions {
  readonly on: boolean;
}

const KEY = 'bitmill.safety';

export const OFF: SafetySettings = { on: false, patterns: '', action: 'block' };

function read(store: KeyValue | undefined): SafetySettings {
  try {
    const kept: unknown = JSON.parse(store?.getItem(KEY) ?? '{}');
    const { on, patterns, action } = (kept ?? {}) as Record<string, unknown>;
    return {
      on: on === true,
      patterns: typeof patterns === 'string' ? patterns : '',
      action: action === 'warn' ? 'warn' : 'block',
    };
  } catch {
    return OFF;
  }
}

/** @param store undefined: nothing is kept. */
export function openSafetySettings(store: KeyValue | undefined): Signal<SafetySettings> {
  const settings = signal(read(store));
  effect(() => {
    try {
      store?.setItem(KEY, JSON.stringify(settings.value));
    } catch {
      // A browser that keeps nothing goes on without.
    }
  });
  return settings;
}
