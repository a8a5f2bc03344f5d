/** The turns of the path that is shown, and a way to the newest one. */
import { useApp } from '../state/app.ts';
import type { Turn } from '../state/tree.ts';
import { AnswerTurn } from './answer-turn.tsx';
import { EmptyChat } from './empty-chat.tsx';
import { IconButton } from './icon-button.tsx';
import { QuestionTurn } from './question-turn.tsx';
import { useStickToEnd } from './stick-to-end.ts';

export function TurnList() {
  const { chat } = useApp();
  const path = chat.path.value;
  const { scroller, content, atEnd, toEnd } = useStickToEnd(chat.id.value);
  return (
    <div class="scroller" ref={scroller}>
      <div class="column turns" ref={content}>
        {path.length === 0 ? <EmptyChat /> : path.map((turn) => <TurnView key={turn.id} turn={turn} />)}
      </div>
      {!atEnd.value && path.length > 0 && (
        <IconButton icon="down" label="To the newest message" class="to-end" onClick={toEnd} />
      )}
    </div>
  );
}

function TurnView({ turn }: { readonly turn: Turn }) {
  return turn.role === 'user' ? <QuestionTurn turn={turn} /> : <AnswerTurn turn={turn} />;
}
