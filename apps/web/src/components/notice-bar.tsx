/** One line at the bottom that tells what happened, with a way back where there is one. */
import { useEffect } from 'preact/hooks';
import { useApp } from '../state/app.ts';
import { IconButton } from './icon-button.tsx';

/** Milliseconds that it stays: long enough to read it and to reach its button. */
const SHOWN = 10_000;

export function NoticeBar() {
  const { notice } = useApp();
  const current = notice.value;
  useEffect(() => {
    if (!current) return undefined;
    const timer = setTimeout(() => {
      if (notice.peek() === current) notice.value = undefined;
    }, SHOWN);
    return () => clearTimeout(timer);
  }, [current]);
  return (
    <div class="notice-place" role="status">
      {current && (
        <div class="notice">
          <span>{current.text}</span>
          {current.action && (
            <button
              type="button"
              class="text-button"
              onClick={() => {
                current.action?.run();
                notice.value = undefined;
              }}
            >
              {current.action.label}
            </button>
          )}
          <IconButton icon="close" label="Close this notice" onClick={() => (notice.value = undefined)} />
        </div>
      )}
    </div>
  );
}
