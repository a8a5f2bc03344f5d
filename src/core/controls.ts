/** Control characters: terminals obey them, so text from outside must not bring any. */

/** C0 and C1 control characters but tabs and line breaks; what is left of an escape sequence is plain text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text from a model as a terminal may have it: nothing in it moves the cursor, sets a title or rings. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS, '');
}
