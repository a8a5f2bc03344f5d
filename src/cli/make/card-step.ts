/** The last step: the card and its pictures. It depends on all of the set but the times, and on the matrix it shows. */
import { z } from 'zod';
import type { QuantSet } from '../../report/index.ts';
import { writeCard } from '../card.ts';
import { type MakeContext, runStep } from './context.ts';
import type { ImportanceMade } from './importance-step.ts';

/** @returns names of the files that the card is made of, README.md first. */
export async function makeCard(
  context: MakeContext,
  set: QuantSet,
  imatrix: ImportanceMade,
): Promise<string[]> {
  const { steps: _times, ...lasting } = set;
  const { record } = await runStep(context, {
    id: 'card',
    depends: [lasting, imatrix.sha256],
    files: (names) => names,
    result: z.array(z.string()),
    work: async ({ warn }) => {
      const { card, pictures } = await writeCard(context.settings.output, set, warn);
      return [card, ...pictures];
    },
  });
  return record.outputs.map(({ name }) => name);
}
