/**
 * What a model card (README.md) says at its head, as far as GGUF metadata carries it. The head is YAML; the cards
 * of models use a small part of it (`key: value`, `key: [a, b]`, `key:` with `- item` lines), and that is read.
 */
export interface CardFacts {
  readonly license?: string;
  readonly licenseName?: string;
  readonly licenseLink?: string;
  readonly tags: readonly string[];
  readonly languages: readonly string[];
}

/** Longest head that is read, in characters, and most items of a list: cards are a few lines. */
const MAX_HEAD = 100_000;
const MAX_ITEMS = 256;

function unquoted(text: string): string {
  const bare = text.trim();
  return /^(["']).*\1$/s.test(bare) && bare.length > 1 ? bare.slice(1, -1) : bare;
}

/** The items of `value`: a list in brackets, a single value, or nothing (block scalars and mappings). */
function inlineItems(value: string): string[] {
  if (value === '' || /^[|>{&*]/.test(value)) return [];
  const list = /^\[(.*)\]$/s.exec(value);
  return (list ? list[1].split(',') : [value]).map(unquoted).filter((item) => item !== '');
}

/** Top-level keys of the head -> their items. */
function readHead(text: string): Map<string, string[]> {
  const items = new Map<string, string[]>();
  const lines = text.slice(0, MAX_HEAD).split(/\r?\n/);
  if (lines[0]?.trim() !== '---') return items;
  const end = lines.indexOf('---', 1);
  let key = '';
  for (const line of end < 0 ? [] : lines.slice(1, end)) {
    const named = /^([A-Za-z_]\w*):(?:\s+(.*))?$/.exec(line);
    const item = /^\s*-\s+([^:]+)$/.exec(line);
    if (named) {
      key = named[1];
      items.set(key, inlineItems((named[2] ?? '').trim()));
    } else if (item) {
      const list = items.get(key);
      if (list && list.length < MAX_ITEMS) list.push(unquoted(item[1]));
    }
  }
  return items;
}

/** @param text README.md; undefined where there is none. Never throws: a card that is not understood says nothing. */
export function readCard(text: string | undefined): CardFacts {
  const head = readHead(text ?? '');
  const all = (...keys: string[]) => keys.flatMap((key) => head.get(key) ?? []);
  const optional = (name: string, key: string) => {
    const value = head.get(key)?.[0];
    return value === undefined ? {} : { [name]: value };
  };
  return {
    ...optional('license', 'license'),
    ...optional('licenseName', 'license_name'),
    ...optional('licenseLink', 'license_link'),
    tags: all('tags', 'pipeline_tag'),
    languages: all('languages', 'language'),
  };
}
