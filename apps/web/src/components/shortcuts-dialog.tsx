/** The help for keys. */
import { FIELD_KEYS, SHORTCUTS } from '../shortcuts.ts';
import { useApp } from '../state/app.ts';
import { Dialog } from './dialog.tsx';

export function ShortcutsDialog() {
  const { panel } = useApp();
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => (panel.value = undefined)}>
      <dl class="shortcuts">
        {[...FIELD_KEYS, ...SHORTCUTS].map(({ keys, does }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
