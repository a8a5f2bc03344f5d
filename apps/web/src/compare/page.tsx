/** The comparison as a view of the page: it knows the page's models, and keeps results among the conversations. */
import { checkedProvider } from '../safety/index.ts';
import { useApp } from '../state/app.ts';
import { CompareState } from './state.ts';
import { CompareView } from './view.tsx';

/** One for the page's life: a look at the chat loses nothing. */
const STATE = new CompareState();

export function ComparePage() {
  const { link, chat, announcement } = useApp();
  const sources = [{ provider: checkedProvider(link.provider.value), models: link.models.value }];
  return (
    <div class="cmp-page">
      <CompareView
        state={STATE}
        sources={sources}
        keep={(conversation) => {
          void chat.add(conversation);
          announcement.value = 'Kept as a chat.';
        }}
      />
    </div>
  );
}
