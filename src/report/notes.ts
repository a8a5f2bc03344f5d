/** What a publisher wrote into a card by hand, between markers; a rebuild carries it over. */

/** Marks in the text, and lines of the head: YAML has comments of its own. */
const NOTES = /<!-- bitmill:notes -->([\s\S]*?)<!-- \/bitmill:notes -->/;
const KEYS = /^# bitmill:keys[ \t]*\r?\n((?:(?!# \/bitmill:keys).*\r?\n)*?)# \/bitmill:keys[ \t]*$/m;
const HEAD = /^---\r?\n([\s\S]*?\r?\n)---[ \t]*(?:\r?\n|$)/;

export interface Kept {
  /** Text between the markers, as it stands there. */
  readonly notes: string;
  /** Lines of the head between its markers. */
  readonly keys: readonly string[];
}

/** @param card README.md as it stands; undefined where there is none. */
export function keptOf(card: string | undefined): Kept {
  const head = HEAD.exec(card ?? '');
  const body = (card ?? '').slice(head?.[0].length ?? 0);
  const keys = KEYS.exec(head?.[1] ?? '')?.[1] ?? '';
  return {
    notes: NOTES.exec(body)?.[1] ?? '\n\n',
    keys: keys.split(/\r?\n/).filter((line) => line.trim() !== ''),
  };
}

/** Names of the top-level keys in such lines: what the publisher says goes before what the set says. */
export function keyNames(lines: readonly string[]): Set<string> {
  return new Set(lines.flatMap((line) => /^([A-Za-z_][\w-]*)[ \t]*:/.exec(line)?.[1] ?? []));
}

export function notesBlock({ notes }: Kept): string {
  return `<!-- bitmill:notes -->${notes}<!-- /bitmill:notes -->`;
}

export function keysBlock({ keys }: Kept): string[] {
  return ['# bitmill:keys', ...keys, '# /bitmill:keys'];
}
