/** The open conversation stands in the address behind `#`, so that a reload and the back button find it again. */
import { effect, type ReadonlySignal } from '@preact/signals';
import type { Conversation } from './conversation.ts';

export const addressedConversation = (): string => location.hash.slice(1);

/**
 * @param open is called with the id that the address names, when it changes from outside; '' is a new conversation.
 */
export function followAddress(
  conversation: ReadonlySignal<Conversation | undefined>,
  open: (id: string) => void,
): void {
  effect(() => {
    const id = conversation.value?.id ?? '';
    if (id === addressedConversation()) return;
    history.pushState(null, '', id ? `#${id}` : location.pathname + location.search);
  });
  addEventListener('popstate', () => open(addressedConversation()));
}
