/** The chat: the conversation's path and the composer below it. */
import { Composer } from './composer.tsx';
import { TurnList } from './turn-list.tsx';

export function ChatView() {
  return (
    <div class="chat">
      <TurnList />
      <Composer />
    </div>
  );
}
