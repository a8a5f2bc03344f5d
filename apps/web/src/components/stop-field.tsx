/** Texts at which an answer ends, one a line. */
import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { MOST_STOPS, readStops, showStops } from '../state/parameters.ts';

export interface StopFieldProps {
  readonly value: readonly string[] | undefined;
  readonly onChange: (value: readonly string[] | undefined) => void;
}

export function StopField({ value, onChange }: StopFieldProps) {
  const id = useId();
  const typed = useSignal(showStops(value));
  useEffect(() => {
    // From outside: another conversation, or a reset.
    if (showStops(readStops(typed.peek())) !== showStops(value)) typed.value = showStops(value);
  }, [value]);
  const onInput = (text: string) => {
    typed.value = text;
    onChange(readStops(text));
  };
  return (
    <div class="field wide">
      <label for={id}>Stop at</label>
      <textarea
        id={id}
        rows={2}
        aria-describedby={`${id}-hint`}
        value={typed.value}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
      <p id={`${id}-hint`} class="hint">
        Texts that end the answer, one a line, {MOST_STOPS} at most; \n is a line end
      </p>
    </div>
  );
}
