/** Why an answer did not come, and what helps. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useApp } from '../state/app.ts';
import { type FailureKind, failureKind } from '../state/failures.ts';
import type { Answer, Failure } from '../state/tree.ts';
import { Icon } from './icon.tsx';

const TITLES: Readonly<Record<FailureKind, string>> = {
  key: 'The server asks for a key',
  busy: 'The server is busy',
  full: 'The conversation is longer than the model can read',
  gone: 'The connection is gone',
  other: 'The answer failed',
};

export function FailureNote({ turn }: { readonly turn: Answer }) {
  const { state, failure } = turn.facts;
  if (state === 'interrupted') {
    return <Interrupted turn={turn} />;
  }
  if (!failure) return null;
  const withheld = state === 'withheld';
  const kind = failureKind(failure);
  return (
    <div class="failure">
      <Icon name="alert" />
      <div>
        <p class="failure-title">{withheld ? 'Withheld' : TITLES[kind]}</p>
        <p>{failure.message}</p>
        <div class="row">{!withheld && <Help kind={kind} failure={failure} retry={turn.id} />}</div>
      </div>
    </div>
  );
}

/** Where nothing had come yet, there is no text with tools below it to begin again from. */
function Interrupted({ turn }: { readonly turn: Answer }) {
  const { chat } = useApp();
  return (
    <div class="row interrupted">
      <p class="quiet">The page was closed before the answer was whole.</p>
      <button type="button" class="button" onClick={() => void chat.retry(turn.id)}>
        Answer again
      </button>
    </div>
  );
}

function Help({
  kind,
  failure,
  retry,
}: {
  readonly kind: FailureKind;
  readonly failure: Failure;
  readonly retry: string;
}) {
  const { chat, panel } = useApp();
  const seconds = useCountdown(failure.retryAt);
  const again = (
    <button type="button" class="button" disabled={seconds > 0} onClick={() => void chat.retry(retry)}>
      {seconds > 0 ? `Retry in ${seconds} s` : 'Retry'}
    </button>
  );
  const connection = (
    <button type="button" class="button" onClick={() => (panel.value = 'settings')}>
      Connection settings
    </button>
  );
  if (kind === 'full') {
    return (
      <>
        <button type="button" class="button" onClick={() => chat.startNew()}>
          New chat
        </button>
        {again}
      </>
    );
  }
  return kind === 'key' || kind === 'gone' ? [again, connection] : again;
}

/** Whole seconds until `at`, milliseconds since 1970; 0 once it is past. */
function useCountdown(at: number | undefined): number {
  const left = () => Math.max(0, Math.ceil(((at ?? 0) - Date.now()) / 1000));
  const seconds = useSignal(left());
  useEffect(() => {
    seconds.value = left();
    if (seconds.value === 0) return undefined;
    const timer = setInterval(() => {
      seconds.value = left();
      if (seconds.value === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [at]);
  return seconds.value;
}
