/** Where one writes. What is typed but not sent stays with its conversation while the page is open. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { useApp } from '../state/app.ts';
import { GrowingText } from './growing-text.tsx';
import { IconButton } from './icon-button.tsx';

/** Unsent texts, by conversation. */
const drafts = new Map<string, string>();

/** Id by which shortcuts find the field. */
export const COMPOSER_ID = 'composer';

export function Composer() {
  const { chat, extensions } = useApp();
  const id = chat.id.value;
  const field = useRef<HTMLTextAreaElement>(null);
  const text = useDraft(id);
  useEffect(() => {
    // On phones the keyboard would cover half of the page.
    if (matchMedia('(hover: hover)').matches) field.current?.focus();
  }, [id]);
  const coming = chat.coming.value;
  const send = () => {
    if (coming || !text.value.trim()) return;
    void chat.send(text.value);
    text.value = '';
    field.current?.focus();
  };
  return (
    <form
      id={COMPOSER_ID}
      class="column composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-box">
        {extensions.map(
          ({ name, ComposerTop }) => ComposerTop && <ComposerTop key={name} conversation={id} />,
        )}
        <GrowingText
          fieldRef={field}
          label="Message"
          placeholder="Write a message"
          value={text}
          onEnter={send}
          onOther={(event) => event.key === 'ArrowUp' && text.peek() === '' && editLastQuestion()}
        />
        <div class="composer-row">
          {extensions.map(
            ({ name, ComposerButton }) => ComposerButton && <ComposerButton key={name} conversation={id} />,
          )}
          <span class="composer-hint quiet" aria-hidden="true">
            {coming ? 'Esc stops' : 'Enter sends · Shift+Enter for a new line'}
          </span>
          {coming ? (
            <IconButton icon="stop" label="Stop the answer" class="round stop" onClick={() => chat.stop()} />
          ) : (
            <IconButton
              icon="send"
              label="Send"
              class="round send"
              disabled={!text.value.trim()}
              onClick={send}
            />
          )}
        </div>
      </div>
    </form>
  );
}

function useDraft(id: string): Signal<string> {
  const text = useSignal(drafts.get(id) ?? '');
  const shown = useRef(id);
  if (shown.current !== id) {
    drafts.set(shown.current, text.peek());
    shown.current = id;
    text.value = drafts.get(id) ?? '';
  }
  return text;
}

/** @returns whether there was one. */
function editLastQuestion(): boolean {
  const buttons = document.querySelectorAll<HTMLButtonElement>(
    '.question button[aria-label="Edit question"]',
  );
  const last = buttons.item(buttons.length - 1);
  last?.click();
  return last !== null;
}
