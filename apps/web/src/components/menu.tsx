/** A button with a short menu: arrows move, Esc and a click elsewhere close. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly icon: IconName;
  readonly label: string;
  readonly run: () => void;
}

export function Menu({ label, items }: { readonly label: string; readonly items: readonly MenuItem[] }) {
  const open = useSignal(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (focus: boolean) => {
    open.value = false;
    if (focus) button.current?.focus();
  };
  useEffect(() => {
    if (!open.value) return undefined;
    list.current?.querySelector('button')?.focus();
    const outside = ({ target }: Event) => {
      if (target instanceof Node && !list.current?.contains(target) && !button.current?.contains(target))
        close(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open.value]);
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons: Element[] = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = document.activeElement ? buttons.indexOf(document.activeElement) : -1;
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1 + buttons.length,
      Home: 0,
      End: buttons.length - 1,
    };
    const to = moves[event.key];
    if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') return close(false);
    else if (to !== undefined) focus(buttons[to % buttons.length]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="menu">
      <button
        type="button"
        ref={button}
        class="icon-button"
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        <Icon name="more" />
      </button>
      {open.value && (
        <div class="menu-list" role="menu" aria-label={label} tabIndex={-1} ref={list} onKeyDown={onKeyDown}>
          {items.map(({ icon, label: text, run }) => (
            <button
              key={text}
              type="button"
              role="menuitem"
              onClick={() => {
                close(true);
                run();
              }}
            >
              <Icon name={icon} /> {text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function focus(element: Element | undefined): void {
  if (element instanceof HTMLElement) element.focus();
}
