/** All that the page knows, made once and handed to the components through a context. */
import { type Signal, signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Extension } from '../extensions.ts';
import { plainText } from '../markdown/plain.ts';
import type { Provider } from '../provider.ts';
import type { ViewName } from '../views.ts';
import { Chat } from './chat.ts';
import { type Link, openLink } from './connection.ts';
import type { Connection, Settings } from './settings.ts';
import { Shelf } from './shelf.ts';
import type { Store } from './store.ts';
import { tellOtherTabs } from './tabs.ts';
import type { Answer } from './tree.ts';

/** A line at the bottom that goes away by itself. */
export interface Notice {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export type Panel = 'parameters' | 'settings' | 'shortcuts';

export interface App {
  readonly settings: Settings;
  readonly link: Link;
  readonly chat: Chat;
  readonly shelf: Shelf;
  readonly view: Signal<ViewName>;
  readonly panel: Signal<Panel | undefined>;
  /** On small screens the list of conversations lies over the page. */
  readonly listOpen: Signal<boolean>;
  readonly notice: Signal<Notice | undefined>;
  /** What screen readers are told. */
  readonly announcement: Signal<string>;
  readonly extensions: readonly Extension[];
  /** Makes a provider of the connection's settings and asks it for its models. */
  connect(connection: Connection): Promise<void>;
}

export interface AppParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly extensions: readonly Extension[];
  readonly providerOf: (connection: Connection) => Provider;
}

/** Characters of an answer that are read out as a whole; of a longer one, that it has come. */
const READ_OUT = 600;

function announcementOf({ content, facts: { state, failure } }: Answer): string {
  if (failure) return failure.message;
  if (state === 'aborted') return 'Stopped.';
  if (content.length <= READ_OUT) return plainText(content) || 'The answer is empty.';
  return `The answer has come: ${content.split(/\s+/).filter(Boolean).length} words.`;
}

export function createApp({ settings, store, extensions, providerOf }: AppParts): App {
  const link = openLink(providerOf(settings.connection.peek()));
  const notice = signal<Notice | undefined>(undefined);
  const announcement = signal('');
  const onProblem = (text: string) => {
    notice.value = { text };
  };
  const shelf = new Shelf(store, onProblem);
  const chat = new Chat({
    store,
    provider: link.provider,
    extensions,
    lastSetup: settings.lastSetup,
    onSaved: () => {
      tellOtherTabs();
      void shelf.refresh();
    },
    onProblem,
    onAnswered: (answer) => {
      announcement.value = announcementOf(answer);
    },
  });
  const connect = async (connection: Connection) => {
    settings.connection.value = connection;
    await link.use(providerOf(connection));
    adoptModel(chat, link);
  };
  return {
    settings,
    link,
    chat,
    shelf,
    view: signal('chat'),
    panel: signal(undefined),
    listOpen: signal(false),
    notice,
    announcement,
    extensions,
    connect,
  };
}

/** Where the chosen model is not among those that there are, the first one is taken. */
export function adoptModel(chat: Chat, link: Link): void {
  const ids = link.models.peek().map(({ id }) => id);
  const [first] = ids;
  if (first !== undefined && !ids.includes(chat.setup.peek().model)) chat.choose({ model: first });
}

export const AppContext = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error('a component stands outside of AppContext');
  return app;
}
