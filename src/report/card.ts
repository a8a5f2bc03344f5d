/**
 * The model card of a set (README.md), a pure function of `bitmill.json`, of which pictures there are, and of what the
 * publisher wrote by hand. The order is that of a reader's questions: what is it, which one, how to run it, how made.
 */

import { madeSection, methodSection, verifySection } from './card-making.ts';
import { chatSection, headLines, introduction } from './card-model.ts';
import { type CardPicture, pictureElement } from './card-picture.ts';
import { adviceSection, quantSection, runSection, wordsSection } from './card-quants.ts';
import { plain } from './markdown.ts';
import { type Kept, keptOf, notesBlock } from './notes.ts';
import type { QuantSet } from './quant-set.ts';

const NOTES_HELP = `<!--
This card is written by \`bitmill card\` from bitmill.json. What stands between the two markers below survives a rebuild,
and so do lines in the head between "# bitmill:keys" and "# /bitmill:keys" (quantized_by, for example); a key
there goes before the card's own. Anything else is written anew.
-->`;

export interface CardParts {
  /** Pictures that stand beside the card. */
  readonly pictures: readonly CardPicture[];
  /** Of the card that is replaced. */
  readonly kept: Kept;
}

/** README.md. */
export function cardText(
  set: QuantSet,
  { pictures, kept }: CardParts = { pictures: [], kept: keptOf(undefined) },
): string {
  const shown = (name: string): string[] =>
    pictures.filter((picture) => picture.name === name).map(pictureElement);
  const sections = [
    ['---', ...headLines(set, kept), '---'].join('\n'),
    `# ${plain(set.model.name)}: GGUF quants, measured`,
    introduction(set),
    `${NOTES_HELP}\n${notesBlock(kept)}`,
    ...quantSection(set),
    ...shown('loss'),
    ...wordsSection(set),
    ...adviceSection(set),
    ...runSection(set),
    ...chatSection(set),
    ...heading('Where the loss is', [...shown('errors'), ...shown('imatrix')]),
    ...heading('Exam', shown('exam')),
    ...madeSection(set),
    ...verifySection(set),
    ...methodSection(set),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** A section, if there is anything in it. */
function heading(title: string, parts: readonly string[]): string[] {
  return parts.length > 0 ? [`## ${title}`, ...parts] : [];
}
