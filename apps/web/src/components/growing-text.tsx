/** A text field that is as high as its text. Enter and Esc are told; Shift+Enter is a new line. */
import type { Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

export interface GrowingTextProps {
  readonly fieldRef: RefObject<HTMLTextAreaElement | null>;
  readonly label: string;
  readonly value: Signal<string>;
  readonly placeholder?: string;
  readonly onEnter: () => void;
  readonly onEscape?: () => void;
  /** On keys that mean nothing here; true: it has been dealt with. */
  readonly onOther?: (event: KeyboardEvent) => boolean;
}

export function GrowingText(props: GrowingTextProps) {
  const { fieldRef, label, value, placeholder = '', onEnter, onEscape, onOther } = props;
  useLayoutEffect(() => {
    const field = fieldRef.current;
    if (!field) return;
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }, [value.value]);
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey) onEnter();
    else if (event.key === 'Escape' && onEscape) onEscape();
    else if (!onOther?.(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <textarea
      ref={fieldRef}
      class="growing-text"
      rows={1}
      aria-label={label}
      placeholder={placeholder}
      value={value.value}
      onInput={({ currentTarget }) => (value.value = currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}
