/** The head of a card: YAML of keys with texts and lists of texts, quoted wherever a reader could take it for more. */
import { oneLine } from './markdown.ts';

export type YamlValue = string | readonly string[];

/** Words that YAML readers take for something else than text; `no` is also a language. */
const WORDS = new Set(['true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n', 'null', 'nan', 'inf']);

/** A scalar: bare where that is safe in YAML 1.1 and 1.2, else in double quotes, which are those of JSON. */
function yamlScalar(text: string): string {
  const line = oneLine(text);
  const isBare = /^[A-Za-z][\w./+-]*(?: [\w./+-]+)*$/.test(line) && !WORDS.has(line.toLowerCase());
  return isBare ? line : JSON.stringify(line);
}

/** `key: value` lines; a list is a line for each item, an empty one is left out. */
export function yamlLines(entries: readonly (readonly [string, YamlValue | undefined])[]): string[] {
  return entries.flatMap(([key, value]) => {
    if (value === undefined || value.length === 0) return [];
    if (typeof value === 'string') return [`${key}: ${yamlScalar(value)}`];
    return [`${key}:`, ...value.map((item) => `- ${yamlScalar(item)}`)];
  });
}
