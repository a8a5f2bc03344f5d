/** What was answered: text, how it went, and what can be done with it. */
import { useApp } from '../state/app.ts';
import type { Answer } from '../state/tree.ts';
import { AnswerFactsLine } from './answer-facts.tsx';
import { BelowTurn } from './below-turn.tsx';
import { BranchSwitch } from './branch-switch.tsx';
import { CopyButton } from './copy-button.tsx';
import { FailureNote } from './failure-note.tsx';
import { IconButton } from './icon-button.tsx';
import { Markdown } from './markdown.tsx';

export function AnswerTurn({ turn }: { readonly turn: Answer }) {
  const { chat } = useApp();
  const live = chat.live.value.get(turn.id);
  const text = live ? live.text.value : turn.content;
  const hasOwnRetry = turn.facts.failure !== undefined || turn.facts.state === 'interrupted';
  return (
    <article
      class="turn answer"
      aria-label={`Answer of ${turn.facts.model}`}
      aria-busy={live !== undefined}
      data-turn={turn.id}
    >
      {live && text === '' ? <Waiting /> : <Markdown text={text} growing={live !== undefined} />}
      <FailureNote turn={turn} />
      {!live && <BelowTurn turn={turn} />}
      <div class="turn-tools">
        <BranchSwitch turn={turn} />
        {!live && (
          <>
            {turn.content && <CopyButton text={turn.content} label="Copy answer" />}
            {!hasOwnRetry && (
              <IconButton icon="retry" label="Answer again" onClick={() => void chat.retry(turn.id)} />
            )}
          </>
        )}
        <AnswerFactsLine facts={turn.facts} pieces={live?.pieces.value} />
      </div>
    </article>
  );
}

function Waiting() {
  return (
    <p class="waiting">
      <span class="offscreen">Waiting for the answer</span>
      <span class="dot" />
      <span class="dot" />
      <span class="dot" />
    </p>
  );
}
