/** Keys that work everywhere on the page, a line each; the help is made of it. */
import { COMPOSER_ID } from './components/composer.tsx';
import { SEARCH_ID } from './components/sidebar.tsx';
import type { App } from './state/app.ts';

export interface Shortcut {
  /** As they are shown. */
  readonly keys: readonly string[];
  readonly does: string;
  readonly matches: (event: KeyboardEvent) => boolean;
  readonly run: (app: App) => void;
}

/** With Alt, by the place of the key: Alt changes the letter on some keyboards. */
const alt = (code: string) => (event: KeyboardEvent) =>
  event.altKey && !event.ctrlKey && !event.metaKey && event.code === code;

/** Alone, and not while something is typed. */
const alone = (key: string) => (event: KeyboardEvent) =>
  event.key === key &&
  !event.altKey &&
  !event.ctrlKey &&
  !event.metaKey &&
  !(
    event.target instanceof HTMLElement && event.target.matches('input, textarea, select, [contenteditable]')
  );

const focusField = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();

function closeOrStop({ panel, listOpen, notice, chat }: App): void {
  if (panel.value === 'parameters') panel.value = undefined;
  else if (listOpen.value) listOpen.value = false;
  else if (chat.coming.value) chat.stop();
  else notice.value = undefined;
}

function retryLast({ chat }: App): void {
  const last = chat.path.value.at(-1);
  if (last?.role === 'assistant') void chat.retry(last.id);
}

export const SHORTCUTS: readonly Shortcut[] = [
  {
    keys: ['Esc'],
    does: 'Stop the answer, or close what is open',
    matches: ({ key }) => key === 'Escape',
    run: closeOrStop,
  },
  {
    keys: ['/'],
    does: 'Write a message',
    matches: alone('/'),
    run: () => focusField(`#${COMPOSER_ID} textarea`),
  },
  {
    keys: ['Alt', 'N'],
    does: 'New chat',
    matches: alt('KeyN'),
    run: ({ chat, view }) => {
      view.value = 'chat';
      chat.startNew();
    },
  },
  { keys: ['Alt', 'R'], does: 'Answer again', matches: alt('KeyR'), run: retryLast },
  {
    keys: ['Alt', 'K'],
    does: 'Search conversations',
    matches: alt('KeyK'),
    run: ({ listOpen }) => {
      listOpen.value = true;
      requestAnimationFrame(() => focusField(`#${SEARCH_ID}`));
    },
  },
  {
    keys: ['Alt', 'P'],
    does: 'Parameters',
    matches: alt('KeyP'),
    run: ({ panel }) => {
      panel.value = panel.value === 'parameters' ? undefined : 'parameters';
    },
  },
  {
    keys: ['?'],
    does: 'These shortcuts',
    matches: alone('?'),
    run: ({ panel }) => {
      panel.value = 'shortcuts';
    },
  },
];

/** Keys of the fields themselves, for the help. */
export const FIELD_KEYS: readonly Pick<Shortcut, 'keys' | 'does'>[] = [
  { keys: ['Enter'], does: 'Send' },
  { keys: ['Shift', 'Enter'], does: 'New line' },
  { keys: ['↑'], does: 'Edit the last question, where nothing is written' },
];
