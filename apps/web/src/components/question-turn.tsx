/** What was asked: a bubble at the right, which can be edited into a new branch. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useApp } from '../state/app.ts';
import type { Question } from '../state/tree.ts';
import { BelowTurn } from './below-turn.tsx';
import { BranchSwitch } from './branch-switch.tsx';
import { CopyButton } from './copy-button.tsx';
import { IconButton } from './icon-button.tsx';
import { QuestionEditor } from './question-editor.tsx';

export function QuestionTurn({ turn }: { readonly turn: Question }) {
  const { chat } = useApp();
  const editing = useSignal(false);
  const editButton = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(false);
  useLayoutEffect(() => {
    if (wasEditing.current && !editing.value) editButton.current?.focus();
    wasEditing.current = editing.value;
  }, [editing.value]);
  const close = () => {
    editing.value = false;
  };
  return (
    <article class="turn question" aria-label="You" data-turn={turn.id}>
      {editing.value ? (
        <QuestionEditor
          text={turn.content}
          onCancel={close}
          onSend={(text) => {
            close();
            void chat.edit(turn.id, text);
          }}
        />
      ) : (
        <div class="bubble">{turn.content}</div>
      )}
      <BelowTurn turn={turn} />
      <div class="turn-tools">
        <BranchSwitch turn={turn} />
        <CopyButton text={turn.content} label="Copy question" />
        <IconButton
          icon="edit"
          label="Edit question"
          buttonRef={editButton}
          onClick={() => (editing.value = true)}
        />
      </div>
    </article>
  );
}
