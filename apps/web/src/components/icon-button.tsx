/** A button that is a picture; its label is read out and shown on hover. */
import type { ButtonHTMLAttributes, Ref } from 'preact';
import { Icon, type IconName } from './icon.tsx';

export interface IconButtonProps {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly class?: string;
  /** For buttons that open or switch something. */
  readonly aria?: Pick<ButtonHTMLAttributes, 'aria-expanded' | 'aria-pressed' | 'aria-controls'>;
  readonly buttonRef?: Ref<HTMLButtonElement>;
}

export function IconButton({
  icon,
  label,
  onClick,
  disabled,
  class: extra = '',
  aria,
  buttonRef,
}: IconButtonProps) {
  return (
    <button
      type="button"
      ref={buttonRef ?? null}
      class={`icon-button ${extra}`}
      aria-label={label}
      title={label}
      disabled={disabled ?? false}
      onClick={onClick}
      {...aria}
    >
      <Icon name={icon} />
    </button>
  );
}
