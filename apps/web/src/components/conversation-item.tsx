/** A line of the list: opens its conversation; its menu renames, exports and deletes it. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { saveFile } from '../save-file.ts';
import { useApp } from '../state/app.ts';
import type { Conversation, Summary } from '../state/conversation.ts';
import { fileNameOf, toJson, toMarkdown } from '../state/transfer.ts';
import { Menu } from './menu.tsx';

export function ConversationItem({ summary }: { readonly summary: Summary }) {
  const { chat, shelf, view, listOpen, notice } = useApp();
  const { id, title } = summary;
  const renaming = useSignal(false);
  const current = chat.id.value === id;
  const open = () => {
    void chat.open(id);
    view.value = 'chat';
    listOpen.value = false;
  };
  const withConversation = async (use: (conversation: Conversation) => void) => {
    const conversation = current ? chat.conversation.peek() : await shelf.store.load(id);
    if (conversation) use(conversation);
  };
  const remove = async () => {
    const removed = await chat.remove(id);
    if (!removed) return;
    const undo = async () => {
      await chat.add(removed);
      await chat.open(id);
    };
    notice.value = { text: `“${title}” is deleted.`, action: { label: 'Undo', run: () => void undo() } };
  };
  if (renaming.value) {
    const close = (name?: string) => {
      if (name !== undefined) void chat.rename(id, name);
      renaming.value = false;
    };
    return (
      <li>
        <Renaming title={title} onClose={close} />
      </li>
    );
  }
  return (
    <li class={current ? 'conversation current' : 'conversation'}>
      <button
        type="button"
        class="conversation-title"
        aria-current={current ? 'page' : undefined}
        onClick={open}
      >
        {title}
      </button>
      <Menu
        label={`More for “${title}”`}
        items={[
          { icon: 'edit', label: 'Rename', run: () => (renaming.value = true) },
          {
            icon: 'download',
            label: 'Export as Markdown',
            run: () =>
              void withConversation((conversation) =>
                saveFile(fileNameOf(title, 'md'), 'text/markdown', toMarkdown(conversation)),
              ),
          },
          {
            icon: 'download',
            label: 'Export as JSON',
            run: () =>
              void withConversation((conversation) =>
                saveFile(fileNameOf(title, 'json'), 'application/json', toJson([conversation])),
              ),
          },
          { icon: 'trash', label: 'Delete', run: () => void remove() },
        ]}
      />
    </li>
  );
}

/** @param onClose is called with the new title, or with nothing where it stays. */
function Renaming({
  title,
  onClose,
}: {
  readonly title: string;
  readonly onClose: (title?: string) => void;
}) {
  const done = useRef(false);
  const close = (name?: string) => {
    // Leaving by a key takes the focus away, which would close it once more.
    if (done.current) return;
    done.current = true;
    onClose(name);
  };
  return (
    <input
      class="renaming"
      aria-label="Title"
      defaultValue={title}
      ref={(field) => {
        if (field && !done.current && document.activeElement !== field) field.select();
      }}
      onBlur={({ currentTarget }) => close(currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') close(event.currentTarget.value);
        if (event.key === 'Escape') close();
        event.stopPropagation();
      }}
    />
  );
}
