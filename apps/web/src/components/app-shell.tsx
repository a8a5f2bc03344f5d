/** The page: list at the left, head and view in the middle, panels over or beside them. */
import { useEffect } from 'preact/hooks';
import { SHORTCUTS } from '../shortcuts.ts';
import { type App, type Panel, useApp } from '../state/app.ts';
import { VIEWS } from '../views.ts';
import { Header } from './header.tsx';
import { LiveRegion } from './live-region.tsx';
import { NoticeBar } from './notice-bar.tsx';
import { ParametersPanel } from './parameters-panel.tsx';
import { SettingsDialog } from './settings-dialog.tsx';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { Sidebar } from './sidebar.tsx';

const PANELS = {
  parameters: ParametersPanel,
  settings: SettingsDialog,
  shortcuts: ShortcutsDialog,
} as const satisfies Record<Panel, unknown>;

export function AppShell() {
  const app = useApp();
  useShortcuts(app);
  const { view, panel, listOpen, chat } = app;
  const { Component } = VIEWS[view.value];
  const PanelComponent = panel.value && PANELS[panel.value];
  const title = chat.conversation.value?.title;
  useEffect(() => {
    document.title = title ? `${title} · bitmill` : 'bitmill';
  }, [title]);
  return (
    <div class={listOpen.value ? 'shell list-open' : 'shell'}>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads to a place on the page; the address is for conversations */}
      <a class="skip-link" href="#main" onClick={skipToMain}>
        Skip to the conversation
      </a>
      <Sidebar />
      <button
        type="button"
        class="shade"
        tabIndex={-1}
        aria-hidden="true"
        onClick={() => (listOpen.value = false)}
      />
      <div class="page">
        <Header />
        <div class="middle">
          <main id="main" tabIndex={-1}>
            <Component />
          </main>
          {PanelComponent && <PanelComponent />}
        </div>
      </div>
      <NoticeBar />
      <LiveRegion />
    </div>
  );
}

/** The address behind `#` is the conversation's: the link moves the focus itself. */
function skipToMain(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function useShortcuts(app: App): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      // An open dialog has the keys to itself.
      if (event.isComposing || document.querySelector('dialog[open]')) return;
      const shortcut = SHORTCUTS.find(({ matches }) => matches(event));
      if (!shortcut) return;
      event.preventDefault();
      shortcut.run(app);
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [app]);
}
