/** The head of the page: which model answers, which view is shown, and the ways to the panels. */
import { useApp } from '../state/app.ts';
import type { Theme } from '../state/settings.ts';
import { VIEWS, type ViewName } from '../views.ts';
import type { IconName } from './icon.tsx';
import { IconButton } from './icon-button.tsx';
import { ModelPicker } from './model-picker.tsx';

const NAMES = Object.keys(VIEWS) as ViewName[];

/** From each to the next one. */
const THEMES: Readonly<
  Record<Theme, { readonly icon: IconName; readonly next: Theme; readonly says: string }>
> = {
  system: { icon: 'system', next: 'light', says: 'as the system' },
  light: { icon: 'sun', next: 'dark', says: 'light' },
  dark: { icon: 'moon', next: 'system', says: 'dark' },
};

export function Header() {
  const { settings, panel, view, listOpen, announcement } = useApp();
  const theme = THEMES[settings.theme.value];
  const turnTheme = () => {
    settings.theme.value = theme.next;
    announcement.value = `Colours: ${THEMES[theme.next].says}`;
  };
  const parametersOpen = panel.value === 'parameters';
  return (
    <header class="header">
      <IconButton
        icon="menu"
        label="Conversations"
        class="only-small"
        aria={{ 'aria-expanded': listOpen.value }}
        onClick={() => (listOpen.value = true)}
      />
      {VIEWS[view.value].picksModel && <ModelPicker />}
      <ViewSwitch />
      <div class="header-tools">
        <IconButton
          icon="sliders"
          label="Parameters"
          aria={{ 'aria-expanded': parametersOpen }}
          onClick={() => (panel.value = parametersOpen ? undefined : 'parameters')}
        />
        <IconButton
          icon={theme.icon}
          label={`Colours: ${theme.says}`}
          class="only-large"
          onClick={turnTheme}
        />
        <IconButton
          icon="help"
          label="Keyboard shortcuts"
          class="only-large"
          onClick={() => (panel.value = 'shortcuts')}
        />
        <IconButton icon="gear" label="Settings" onClick={() => (panel.value = 'settings')} />
      </div>
    </header>
  );
}

function ViewSwitch() {
  const { view } = useApp();
  if (NAMES.length < 2) return null;
  return (
    <fieldset class="view-switch">
      <legend class="offscreen">View</legend>
      {NAMES.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={view.value === name}
          onClick={() => (view.value = name)}
        >
          {VIEWS[name].label}
        </button>
      ))}
    </fieldset>
  );
}
