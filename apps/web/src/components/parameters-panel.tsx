/** System prompt and parameters of the next answers, beside the conversation. */
import { useId } from 'preact/hooks';
import type { Parameters } from '../provider.ts';
import { useApp } from '../state/app.ts';
import { NUMBERS, type NumberName, withParameter } from '../state/parameters.ts';
import { IconButton } from './icon-button.tsx';
import { NumberField } from './number-field.tsx';
import { StopField } from './stop-field.tsx';

const NAMES = Object.keys(NUMBERS) as NumberName[];

export function ParametersPanel() {
  const { chat, panel } = useApp();
  const { system, parameters } = chat.setup.value;
  const ids = { system: useId(), title: useId() };
  const set = <N extends keyof Parameters>(name: N, value: Parameters[N] | undefined) =>
    chat.choose({ parameters: withParameter(chat.setup.peek().parameters, name, value) });
  return (
    <aside class="panel" aria-labelledby={ids.title} key={chat.id.value}>
      <div class="panel-head">
        <h2 id={ids.title}>Parameters</h2>
        <IconButton icon="close" label="Close parameters" onClick={() => (panel.value = undefined)} />
      </div>
      <div class="panel-body">
        <div class="field wide">
          <label for={ids.system}>System prompt</label>
          <textarea
            id={ids.system}
            rows={4}
            placeholder="How the model shall behave"
            value={system}
            onInput={({ currentTarget }) => chat.choose({ system: currentTarget.value })}
          />
        </div>
        {NAMES.map((name) => (
          <NumberField
            key={name}
            name={name}
            value={parameters[name]}
            onChange={(value) => set(name, value)}
          />
        ))}
        <StopField value={parameters.stop} onChange={(value) => set('stop', value)} />
        <button type="button" class="button" onClick={() => chat.choose({ parameters: {} })}>
          Back to defaults
        </button>
      </div>
    </aside>
  );
}
