/** A question while it is edited. Enter sends, Shift+Enter is a new line, Esc leaves it as it was. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { GrowingText } from './growing-text.tsx';

export interface QuestionEditorProps {
  readonly text: string;
  readonly onSend: (text: string) => void;
  readonly onCancel: () => void;
}

export function QuestionEditor({ text, onSend, onCancel }: QuestionEditorProps) {
  const draft = useSignal(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const send = () => {
    if (draft.value.trim()) onSend(draft.value);
  };
  return (
    <form
      class="question-editor"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <GrowingText fieldRef={field} label="Edit question" value={draft} onEnter={send} onEscape={onCancel} />
      <div class="row end">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={!draft.value.trim()}>
          Send
        </button>
      </div>
    </form>
  );
}
