/** The check in the settings, and its warnings below answers. */
import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { TurnSlotProps } from '../extensions.ts';
import { warningsOf } from './notes.ts';
import type { SafetySettings } from './settings.ts';

export function safetySection(settings: Signal<SafetySettings>) {
  return function SafetySection() {
    const ids = { patterns: useId(), hint: useId(), action: useId() };
    const { on, patterns, action } = settings.value;
    const change = (more: Partial<SafetySettings>) => {
      settings.value = { ...settings.value, ...more };
    };
    return (
      <section class="section" aria-label="Safety check">
        <h3>Safety check</h3>
        <label class="check">
          <input
            type="checkbox"
            checked={on}
            onChange={({ currentTarget }) => change({ on: currentTarget.checked })}
          />
          Check questions and answers against a list of words
        </label>
        {on && (
          <>
            <div class="field wide">
              <label for={ids.patterns}>Words and phrases, one a line</label>
              <textarea
                id={ids.patterns}
                rows={4}
                value={patterns}
                aria-describedby={ids.hint}
                onInput={({ currentTarget }) => change({ patterns: currentTarget.value })}
              />
              <p class="hint" id={ids.hint}>
                In any case; * stands for any letters. The list stays in this browser.
              </p>
            </div>
            <div class="field">
              <label for={ids.action}>Where one occurs</label>
              <select
                id={ids.action}
                value={action}
                onChange={({ currentTarget }) =>
                  change({ action: currentTarget.value === 'warn' ? 'warn' : 'block' })
                }
              >
                <option value="block">block</option>
                <option value="warn">warn</option>
              </select>
            </div>
          </>
        )}
      </section>
    );
  };
}

export function SafetyWarnings({ turn }: TurnSlotProps) {
  return (
    <>
      {warningsOf(turn.notes).map((warning) => (
        <p key={warning} class="safety-warning">
          <span aria-hidden="true">⚠ </span>
          {warning}
        </p>
      ))}
    </>
  );
}
