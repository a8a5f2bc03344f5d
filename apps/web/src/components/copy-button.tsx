/** Copies a text and says so for a moment. */
import { useSignal } from '@preact/signals';
import { copyText } from '../copy-text.ts';
import { useApp } from '../state/app.ts';
import { IconButton } from './icon-button.tsx';

/** Milliseconds that the check mark stays. */
const SHOWN = 1500;

export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const { announcement, notice } = useApp();
  const copied = useSignal(false);
  const copy = async () => {
    if (!(await copyText(text))) {
      notice.value = {
        text: 'The browser does not allow copying here: select the text and copy it by hand.',
      };
      return;
    }
    announcement.value = 'Copied.';
    copied.value = true;
    setTimeout(() => (copied.value = false), SHOWN);
  };
  return <IconButton icon={copied.value ? 'check' : 'copy'} label={label} onClick={() => void copy()} />;
}
