/** What stands where no message is yet: who will answer, and a few ways to begin. */
import { useApp } from '../state/app.ts';

const BEGINNINGS: readonly string[] = [
  'Explain quantization to a curious ten-year-old.',
  'Write a haiku about a windmill at dusk.',
  'Show a TypeScript function that groups a list by a key.',
];

export function EmptyChat() {
  const { chat, link } = useApp();
  const model = chat.setup.value.model;
  const ready = link.reach.value === 'ready' && model !== '';
  return (
    <section class="empty" aria-label="New chat">
      <h2>What shall we talk about?</h2>
      <p class="quiet">
        {ready ? (
          <>
            <strong>{model}</strong> answers. What you write is kept in this browser only.
          </>
        ) : (
          <LinkState />
        )}
      </p>
      {ready && (
        <ul class="beginnings" aria-label="Suggestions">
          {BEGINNINGS.map((text) => (
            <li key={text}>
              <button type="button" class="beginning" onClick={() => void chat.send(text)}>
                {text}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Why nobody answers yet. */
function LinkState() {
  const { link, panel } = useApp();
  if (link.reach.value === 'asking') return <>Looking for models…</>;
  if (link.reach.value === 'ready') return <>The server has no models.</>;
  return (
    <>
      {link.problem.value}{' '}
      <button type="button" class="text-button" onClick={() => void link.refresh()}>
        Try again
      </button>{' '}
      <button type="button" class="text-button" onClick={() => (panel.value = 'settings')}>
        Connection settings
      </button>
    </>
  );
}
