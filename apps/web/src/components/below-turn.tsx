/** What extensions show below a turn. */
import { useApp } from '../state/app.ts';
import type { Turn } from '../state/tree.ts';

export function BelowTurn({ turn }: { readonly turn: Turn }) {
  const { extensions, chat } = useApp();
  return (
    <>
      {extensions.map(
        ({ name, BelowTurn: Slot }) => Slot && <Slot key={name} turn={turn} conversation={chat.id.value} />,
      )}
    </>
  );
}
