/** The last step: the card and its pictures. */
import type { Progress } from '../../core/index.ts';
import type { QuantSet } from '../../report/index.ts';

/** @returns names of the files that were written. */
export async function makeCard(_set: QuantSet, _folder: string, _progress: Progress): Promise<string[]> {
  return [];
}
