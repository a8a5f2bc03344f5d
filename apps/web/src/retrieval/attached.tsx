/** In the composer: what is attached, a button to attach more, and the page as a place to drop files. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { SlotProps } from '../extensions.ts';
import { useApp } from '../state/app.ts';
import type { Attachments } from './attachments.ts';
import { ACCEPT } from './files.ts';

/** Components that share one set of attachments. */
export function attachedParts(attachments: Attachments) {
  function AttachButton({ conversation }: SlotProps) {
    const input = useRef<HTMLInputElement>(null);
    return (
      <>
        <button
          type="button"
          class="icon-button"
          aria-label="Attach text files"
          title="Attach text files"
          onClick={() => input.current?.click()}
        >
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d="M19 11.5l-7.2 7.2a4.6 4.6 0 0 1-6.5-6.5l7.8-7.8a3.1 3.1 0 0 1 4.4 4.4l-7.7 7.7a1.5 1.5 0 0 1-2.2-2.2l6.8-6.8" />
          </svg>
        </button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          accept={ACCEPT}
          aria-label="Text files"
          onChange={({ currentTarget }) => {
            void attachments.add(conversation, [...(currentTarget.files ?? [])]);
            currentTarget.value = '';
          }}
        />
      </>
    );
  }

  function AttachedBar({ conversation }: SlotProps) {
    const files = attachments.of(conversation).value;
    const problem = attachments.problem.value;
    const over = useDrop((dropped) => void attachments.add(conversation, dropped));
    useForgetting(attachments, conversation);
    return (
      <>
        {over && (
          <div class="drop-here" aria-hidden="true">
            Drop text files to ask about them
          </div>
        )}
        {files.length > 0 && (
          <ul class="attached" aria-label="Attached files">
            {files.map(({ id, name, text }) => (
              <li key={id} class="attached-file">
                <span class="attached-name" title={`${text.length} characters`}>
                  {name}
                </span>
                <button
                  type="button"
                  aria-label={`Remove ${name}`}
                  title="Remove"
                  onClick={() => void attachments.remove(conversation, id)}
                >
                  ×
                </button>
              </li>
            ))}
          </ul>
        )}
        <p class="attached-problem" role="alert">
          {problem}
        </p>
      </>
    );
  }
  return { AttachButton, AttachedBar };
}

/** Files of conversations that were removed go too, once a page's life. */
function useForgetting(attachments: Attachments, current: string): void {
  const { shelf } = useApp();
  useEffect(() => {
    void shelf.store
      .list()
      .then((kept) => attachments.keepOnly(new Set([current, ...kept.map(({ id }) => id)])))
      .catch(() => undefined);
  }, []);
}

/** The whole page takes files. @returns whether some are held over it. */
function useDrop(take: (files: File[]) => void): boolean {
  const over = useSignal(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over.value = true;
    };
    const onLeave = (event: DragEvent) => {
      // Leaving for a part of the page is no leaving.
      if (event.relatedTarget === null) over.value = false;
    };
    const onDrop = (event: DragEvent) => {
      over.value = false;
      if (!hasFiles(event)) return;
      event.preventDefault();
      latest.current([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, [over]);
  return over.value;
}
