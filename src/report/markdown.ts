/**
 * Text from outside in Markdown: names of models and files are whatever someone wrote, so none of it may become markup,
 * a link, a table cell or HTML.
 */

/** Characters that nobody should have in a name: controls, line separators, direction marks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/** On one line, without control characters, half surrogate pairs replaced. */
export function oneLine(text: string): string {
  return text
    .replace(UNSEEN, ' ')
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .trim();
}

/** Text in a paragraph or a table cell: shown as it is, also where it looks like markup or like an address. */
export function plain(text: string): string {
  return oneLine(text)
    .replace(/&/g, '&amp;')
    .replace(/[\\`*_[\]|~$#!]/g, '\\$&')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/:\/\//g, '&#58;//')
    .replace(/@/g, '&#64;')
    .replace(/\bwww\./gi, (found) => `${found.slice(0, 3)}&#46;`);
}

/** The longest run of backticks in a text. */
function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((longest, { length }) => Math.max(longest, length), 0);
}

/** A name in code letters, also in a table cell. */
export function code(text: string): string {
  const line = oneLine(text).replace(/\|/g, '\\|');
  const ticks = '`'.repeat(longestRun(line) + 1);
  const space = /^`|`$/.test(line) || line === '' ? ' ' : '';
  return `${ticks}${space}${line}${space}${ticks}`;
}

/** A block of code; its fence is longer than any in the text. @param language for colours, a plain word. */
export function fence(text: string, language = ''): string {
  const ticks = '`'.repeat(Math.max(3, longestRun(text) + 1));
  const lines = text.replace(/\r\n?/g, '\n').split('\n').map(withoutControls);
  while (lines.length > 1 && lines.at(-1) === '') lines.pop();
  return `${ticks}${language}\n${lines.join('\n')}\n${ticks}`;
}

function withoutControls(line: string): string {
  return line.replace(UNSEEN, (found) => (/^\t+$/.test(found) ? found : '\ufffd'));
}

/** Target of a link to a file beside the card. A name is one segment, so nothing of it is a scheme or a folder. */
export function fileTarget(name: string): string {
  const target = encodeURIComponent(oneLine(name)).replace(
    /[!'()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return target;
}

/** Text in the attribute of an HTML element. */
export function attribute(text: string): string {
  return oneLine(text)
    .replace(/&/g, '&amp;')
    .replace(/"/g, '&quot;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;');
}

/** One word of a command line for a POSIX shell. */
export function shellWord(text: string): string {
  const line = oneLine(text);
  if (/^[\w@%+=:,./][\w@%+=:,./-]*$/.test(line)) return line;
  return `'${(line.startsWith('-') ? `./${line}` : line).replace(/'/g, `'\\''`)}'`;
}

/** A table. @param right columns of numbers. */
export function markdownTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const [head, ...body] = rows;
  const rule = head.map((_, column) => (right.includes(column) ? '---:' : '---'));
  return [head, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
