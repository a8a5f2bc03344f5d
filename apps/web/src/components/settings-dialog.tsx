/** Settings: the connection, the colours, and what extensions add. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { useApp } from '../state/app.ts';
import type { Theme } from '../state/settings.ts';
import { Dialog } from './dialog.tsx';

export function SettingsDialog() {
  const { panel, extensions } = useApp();
  return (
    <Dialog title="Settings" onClose={() => (panel.value = undefined)}>
      <ConnectionSection />
      <ColourSection />
      {extensions.map(({ name, Settings }) => Settings && <Settings key={name} />)}
    </Dialog>
  );
}

function ConnectionSection() {
  const { settings, connect, link } = useApp();
  const draft = useSignal(settings.connection.value);
  const ids = { url: useId(), key: useId(), keep: useId() };
  const change = (more: Partial<typeof draft.value>) => {
    draft.value = { ...draft.value, ...more };
  };
  return (
    <form
      class="section"
      onSubmit={(event) => {
        event.preventDefault();
        void connect(draft.value);
      }}
    >
      <h3>Connection</h3>
      <div class="field wide">
        <label for={ids.url}>Base URL</label>
        <input
          id={ids.url}
          type="url"
          placeholder="this page's server"
          aria-describedby={`${ids.url}-hint`}
          value={draft.value.baseUrl}
          onInput={({ currentTarget }) => change({ baseUrl: currentTarget.value.trim() })}
        />
        <p id={`${ids.url}-hint`} class="hint">
          Any OpenAI-compatible API: http://127.0.0.1:8080/v1
        </p>
      </div>
      <div class="field wide">
        <label for={ids.key}>API key</label>
        <input
          id={ids.key}
          type="password"
          autocomplete="off"
          placeholder="none"
          value={draft.value.apiKey}
          onInput={({ currentTarget }) => change({ apiKey: currentTarget.value.trim() })}
        />
      </div>
      <label class="check" for={ids.keep}>
        <input
          id={ids.keep}
          type="checkbox"
          checked={draft.value.keepKey}
          onChange={({ currentTarget }) => change({ keepKey: currentTarget.checked })}
        />
        Keep the key in this browser; otherwise it is gone with the tab
      </label>
      <div class="row">
        <button type="submit" class="button primary">
          Connect
        </button>
        <p class="quiet" role="status">
          {linkWords(link.reach.value, link.models.value.length, link.problem.value)}
        </p>
      </div>
    </form>
  );
}

function linkWords(reach: string, models: number, problem: string): string {
  if (reach === 'asking') return 'Connecting…';
  return reach === 'failed' ? problem : `Connected: ${models} ${models === 1 ? 'model' : 'models'}.`;
}

const THEMES: Readonly<Record<Theme, string>> = { system: 'As the system', light: 'Light', dark: 'Dark' };

function ColourSection() {
  const { settings } = useApp();
  const name = useId();
  return (
    <fieldset class="section">
      <legend>Colours</legend>
      <div class="row">
        {(Object.keys(THEMES) as Theme[]).map((theme) => (
          <label class="check" key={theme}>
            <input
              type="radio"
              name={name}
              checked={settings.theme.value === theme}
              onChange={() => (settings.theme.value = theme)}
            />
            {THEMES[theme]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
