/** Names of options as callers write them: unknown ones are refused, with the known one that is near. */
import { usageError } from '../../core/index.ts';

/** Letters that have to be put in, taken out or changed (or neighbours swapped) to make one text of the other. */
function distance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

/** Without case and underscores, as `maxNewTokens` and `max_new_tokens` are the same mistake. */
const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** The known name that was probably meant; undefined where none is near. */
function nearName(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((one) => ({ one, letters: distance(plain(name), plain(one)) }));
  const best = scored.reduce((a, b) => (b.letters < a.letters ? b : a));
  return best.letters <= Math.max(1, Math.floor(name.length / 4)) ? best.one : undefined;
}

/** @throws usage error: a name in `given` that is not known. @param what of the message: `option of text-generation`. */
export function checkNames(given: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearName(name, known);
    throw usageError(
      `${name} is no ${what}`,
      near === undefined ? `known: ${known.join(', ')}` : `did you mean ${near}?`,
    );
  }
}
