/** One number of the parameters. Empty means: the server's own. */
import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { NUMBERS, type NumberName, readNumber } from '../state/parameters.ts';

export interface NumberFieldProps {
  readonly name: NumberName;
  readonly value: number | undefined;
  readonly onChange: (value: number | undefined) => void;
}

export function NumberField({ name, value, onChange }: NumberFieldProps) {
  const { label, hint } = NUMBERS[name];
  const id = useId();
  const typed = useSignal(value === undefined ? '' : String(value));
  const problem = useSignal('');
  useEffect(() => {
    // From outside: another conversation, or a reset.
    const shown = readNumber(name, typed.peek());
    if (shown !== value) {
      typed.value = value === undefined ? '' : String(value);
      problem.value = '';
    }
  }, [value]);
  const onInput = (text: string) => {
    typed.value = text;
    const read = readNumber(name, text);
    problem.value = typeof read === 'object' ? read.problem : '';
    if (typeof read !== 'object') onChange(read);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        placeholder="default"
        value={typed.value}
        aria-invalid={problem.value !== ''}
        aria-describedby={`${id}-hint`}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
      <p id={`${id}-hint`} class={problem.value ? 'hint problem' : 'hint'}>
        {problem.value || hint}
      </p>
    </div>
  );
}
