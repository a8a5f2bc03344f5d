/** Colours: what the settings say, else what the system says. Styles look at `data-theme` alone. */
import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Theme } from './settings.ts';

/** What is shown: never `system`. */
export type Shown = 'light' | 'dark';

const dark = signal(false);

const shownTheme = (theme: Theme): Shown => (theme === 'system' ? (dark.value ? 'dark' : 'light') : theme);

export function followTheme(theme: ReadonlySignal<Theme>): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  dark.value = system.matches;
  system.addEventListener('change', ({ matches }) => {
    dark.value = matches;
  });
  effect(() => {
    document.documentElement.dataset['theme'] = shownTheme(theme.value);
  });
}
