/** The page's beginning: opens the storage, the settings and the connection, and shows the app. */
import './styles/index.css';
import { render } from 'preact';
import { AppShell } from './components/app-shell.tsx';
import { EXTENSIONS } from './extensions.ts';
import type { Provider } from './provider.ts';
import { joined, LOCAL_MODELS } from './providers/local/index.ts';
import { openAiProvider } from './providers/openai.ts';
import { addressedConversation, followAddress } from './state/address.ts';
import { type App, AppContext, adoptModel, createApp } from './state/app.ts';
import { indexedStore } from './state/indexed-store.ts';
import { type Connection, openSettings, storageOr } from './state/settings.ts';
import { memoryStore } from './state/store.ts';
import { followOtherTabs } from './state/tabs.ts';
import { followTheme } from './state/theme.ts';

/** The page's own server answers beside the page: `/v1` where that is at the top. */
const OWN_SERVER = new URL('v1', document.baseURI).href;

function providerOf({ baseUrl, apiKey }: Connection): Provider {
  const server = openAiProvider({ baseUrl: baseUrl || OWN_SERVER, ...(apiKey ? { apiKey } : {}) });
  return joined(server, LOCAL_MODELS);
}

/** The page's server may forbid requests to others: what fails then looks like a server that is gone. */
function tellBlockedRequests(notice: App['notice']): void {
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
    if (effectiveDirective !== 'connect-src' || !URL.canParse(blockedURI)) return;
    const { origin } = new URL(blockedURI);
    notice.value = {
      text: `This page's server does not let the page ask ${origin}: start it with --connect ${origin}.`,
    };
  });
}

async function start(root: HTMLElement): Promise<void> {
  const settings = openSettings(
    storageOr(() => localStorage),
    storageOr(() => sessionStorage),
  );
  followTheme(settings.theme);
  const store = await indexedStore().catch(() => memoryStore());
  const app = createApp({ settings, store, extensions: EXTENSIONS, providerOf });
  if (!store.lasting) {
    app.notice.value = { text: 'This browser keeps no data for this page: conversations end with it.' };
  }
  await app.shelf.refresh();
  await app.chat.open(addressedConversation());
  followAddress(app.chat.conversation, (id) => (id ? void app.chat.open(id) : app.chat.startNew()));
  render(
    <AppContext.Provider value={app}>
      <AppShell />
    </AppContext.Provider>,
    root,
  );
  tellBlockedRequests(app.notice);
  followOtherTabs(() => void app.shelf.refresh());
  const findModels = async () => {
    await app.link.refresh();
    adoptModel(app.chat, app.link);
  };
  // Who comes back to the page has perhaps just started the server.
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && app.link.reach.value === 'failed') void findModels();
  });
  await findModels();
}

const root = document.getElementById('app');
if (root) void start(root);
