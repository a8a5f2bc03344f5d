/**
 * What is remembered beside the conversations: the connection, the colours, and what new chats start with. The API key
 * stays in the session's storage unless it is asked to stay; the rest in the local one. A browser that keeps nothing
 * (private windows) still works, until the page is closed.
 */
import { effect, type Signal, signal } from '@preact/signals';
import { EMPTY_SETUP, type Setup } from './conversation.ts';

export type Theme = 'system' | 'light' | 'dark';

export interface Connection {
  /** '' means the page's own server. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Keep the key when the browser is closed. */
  readonly keepKey: boolean;
}

export interface Settings {
  readonly theme: Signal<Theme>;
  readonly connection: Signal<Connection>;
  /** Model and parameters that were used last; no system prompt. */
  readonly lastSetup: Signal<Setup>;
}

/** As much of the DOM's `Storage` as is used. */
export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The browser's storage, or one for the page's life where it is forbidden even to ask for it. */
export function storageOr(open: () => KeyValue): KeyValue {
  try {
    return open();
  } catch {
    const kept = new Map<string, string>();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    };
  }
}

const KEYS = {
  theme: 'bitmill.theme',
  connection: 'bitmill.connection',
  apiKey: 'bitmill.key',
  setup: 'bitmill.setup',
} as const;

const THEMES: readonly unknown[] = ['system', 'light', 'dark'] satisfies Theme[];

/** A JSON object that was kept, or nothing where there is none or it is spoiled. */
function read(store: KeyValue, key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(store.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Storage may be full or forbidden: then it is not kept. */
function write(store: KeyValue, key: string, value: object | string | undefined): void {
  try {
    if (value === undefined) store.removeItem(key);
    else store.setItem(key, JSON.stringify(value));
  } catch {
    // Nothing to do: the page goes on with what it has.
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function readConnection(local: KeyValue, session: KeyValue): Connection {
  const { baseUrl } = read(local, KEYS.connection);
  const kept = text(read(local, KEYS.apiKey)['key']);
  const here = text(read(session, KEYS.apiKey)['key']);
  return { baseUrl: text(baseUrl), apiKey: kept || here, keepKey: kept !== '' };
}

function readSetup(local: KeyValue): Setup {
  const { model, parameters } = read(local, KEYS.setup);
  const known = typeof parameters === 'object' && parameters !== null ? parameters : {};
  return { ...EMPTY_SETUP, model: text(model), parameters: known };
}

/** Settings that keep themselves. */
export function openSettings(local: KeyValue, session: KeyValue): Settings {
  const { theme } = read(local, KEYS.theme);
  const settings: Settings = {
    theme: signal(THEMES.includes(theme) ? (theme as Theme) : 'system'),
    connection: signal(readConnection(local, session)),
    lastSetup: signal(readSetup(local)),
  };
  effect(() => write(local, KEYS.theme, { theme: settings.theme.value }));
  effect(() => {
    const { baseUrl, apiKey, keepKey } = settings.connection.value;
    write(local, KEYS.connection, { baseUrl });
    write(local, KEYS.apiKey, apiKey && keepKey ? { key: apiKey } : undefined);
    write(session, KEYS.apiKey, apiKey && !keepKey ? { key: apiKey } : undefined);
  });
  effect(() => {
    const { model, parameters } = settings.lastSetup.value;
    write(local, KEYS.setup, { model, parameters });
  });
  return settings;
}
