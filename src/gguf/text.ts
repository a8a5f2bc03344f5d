/** Text out of files as it may go into messages and onto terminals: quoted, without control characters. */

/** Controls that JSON leaves alone: DEL, C1 (among them escape sequences of one byte), directions, separators. */
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** `text` in double quotes on one line, escaped, cut after `longest` characters. */
export function quoted(text: string, longest = 80): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return JSON.stringify(short).replaceAll(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
