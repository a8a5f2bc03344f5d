/** The conversations: new, search, open, rename, export, delete, import. */
import { useId, useRef } from 'preact/hooks';
import { saveFile } from '../save-file.ts';
import { useApp } from '../state/app.ts';
import { newId } from '../state/chat.ts';
import { fromJson, LARGEST_FILE, toJson } from '../state/transfer.ts';
import { ConversationItem } from './conversation-item.tsx';
import { Icon } from './icon.tsx';
import { IconButton } from './icon-button.tsx';

/** Id by which shortcuts find the field. */
export const SEARCH_ID = 'search';

export function Sidebar() {
  const { chat, shelf, listOpen, view } = useApp();
  const list = shelf.list.value;
  const startNew = () => {
    chat.startNew();
    view.value = 'chat';
    listOpen.value = false;
  };
  return (
    <nav class="sidebar" aria-label="Conversations">
      <div class="sidebar-head">
        <h1 class="brand">bitmill</h1>
        <IconButton
          icon="close"
          label="Close the list"
          class="only-small"
          onClick={() => (listOpen.value = false)}
        />
      </div>
      <button type="button" class="button new-chat" onClick={startNew}>
        <Icon name="plus" /> New chat
      </button>
      <search class="search">
        <Icon name="search" />
        <input
          id={SEARCH_ID}
          type="search"
          aria-label="Search conversations"
          placeholder="Search"
          value={shelf.query.value}
          onInput={({ currentTarget }) => void shelf.search(currentTarget.value)}
        />
      </search>
      <ul class="conversations">
        {list.map((summary) => (
          <ConversationItem key={summary.id} summary={summary} />
        ))}
      </ul>
      {list.length === 0 && (
        <p class="quiet no-conversations">
          {shelf.query.value.trim() ? 'Nothing is found.' : 'Conversations will stand here.'}
        </p>
      )}
      <Transfer />
    </nav>
  );
}

/** All conversations out to a file, and in from one. */
function Transfer() {
  const { chat, shelf, notice } = useApp();
  const id = useId();
  const picker = useRef<HTMLInputElement>(null);
  const exportAll = async () => {
    const all = await Promise.all((await shelf.store.list()).map(({ id }) => shelf.store.load(id)));
    const conversations = all.filter((one) => one !== undefined);
    saveFile('bitmill-chats.json', 'application/json', toJson(conversations));
  };
  const importFile = async (file: File) => {
    try {
      if (file.size > LARGEST_FILE) throw new Error('The file is larger than 64 MiB.');
      const conversations = fromJson(await file.text(), newId, Date.now());
      for (const conversation of conversations) await chat.add(conversation);
      notice.value = {
        text: `${conversations.length} ${conversations.length === 1 ? 'conversation' : 'conversations'} imported.`,
      };
    } catch (error) {
      notice.value = { text: error instanceof Error ? error.message : String(error) };
    }
  };
  return (
    <div class="sidebar-foot">
      <button type="button" class="text-button" onClick={() => picker.current?.click()}>
        <Icon name="upload" /> Import
      </button>
      <button type="button" class="text-button" onClick={() => void exportAll()}>
        <Icon name="download" /> Export all
      </button>
      <input
        ref={picker}
        id={id}
        type="file"
        accept=".json,application/json"
        aria-label="File to import"
        hidden
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          if (file) void importFile(file);
          currentTarget.value = '';
        }}
      />
    </div>
  );
}
