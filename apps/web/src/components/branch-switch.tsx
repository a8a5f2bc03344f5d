/** `‹ 2/3 ›`: which of the branches at this place is shown, and the way to the others. */
import { useApp } from '../state/app.ts';
import { EMPTY_TREE, forkOf, type Turn } from '../state/tree.ts';
import { IconButton } from './icon-button.tsx';

export function BranchSwitch({ turn }: { readonly turn: Turn }) {
  const { chat } = useApp();
  const { index, ids } = forkOf(chat.conversation.value?.tree ?? EMPTY_TREE, turn);
  if (ids.length < 2) return null;
  const show = (id: string | undefined) => {
    if (id !== undefined) chat.switchTo(id);
  };
  return (
    <fieldset class="branch-switch">
      <legend class="offscreen">Branches</legend>
      <IconButton
        icon="left"
        label="Branch before"
        disabled={index === 0}
        onClick={() => show(ids[index - 1])}
      />
      <span class="branch-number">
        <span class="offscreen">Branch </span>
        {index + 1}/{ids.length}
      </span>
      <IconButton
        icon="right"
        label="Branch after"
        disabled={index === ids.length - 1}
        onClick={() => show(ids[index + 1])}
      />
    </fieldset>
  );
}
