/** What screen readers are told when it happens, politely: after what they are saying. */
import { useEffect } from 'preact/hooks';
import { useApp } from '../state/app.ts';

/** Milliseconds until it is empty again, so that the same words can be said once more. */
const KEPT = 4000;

export function LiveRegion() {
  const { announcement } = useApp();
  const text = announcement.value;
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(() => (announcement.value = ''), KEPT);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="offscreen" aria-live="polite">
      {text}
    </p>
  );
}
