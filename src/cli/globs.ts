/**
 * Patterns of file names: `*` and `?` within a name, `**` across folders; a pattern without `/` is for the last name
 * of a path, wherever it is; a leading `/` pins it to the top. The way of .gitignore, because people know it.
 */

/** What each part of a pattern stands for. The first that fits at a place is taken. */
const PARTS: readonly (readonly [RegExp, (match: string) => string])[] = [
  [/^\*\*\//, () => '(?:[^/]+/)*'],
  [/^\*\*/, () => '.*'],
  [/^\*/, () => '[^/]*'],
  [/^\?/, () => '[^/]'],
  [/^./su, (character) => character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')],
];

function sourceOf(glob: string): string {
  let source = '';
  for (let rest = glob; rest !== ''; ) {
    const [pattern, meaning] = PARTS.find(([part]) => part.test(rest)) ?? PARTS[PARTS.length - 1];
    const [match] = pattern.exec(rest) ?? [rest];
    source += meaning(match);
    rest = rest.slice(match.length);
  }
  return source;
}

/** Whether a path (folders with `/`) fits one of the patterns. */
export function matcher(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map((glob) => {
    const anywhere = glob.includes('/') ? '' : '(?:.*/)?';
    return new RegExp(`^${anywhere}${sourceOf(glob.replace(/^\//, ''))}$`, 'su');
  });
  return (path) => patterns.some((pattern) => pattern.test(path));
}
