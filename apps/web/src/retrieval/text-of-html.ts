/** The text of an HTML page, for search: what a reader would see, roughly. It is never shown as markup. */

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  copy: '©',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  eacute: 'é',
  egrave: 'è',
  agrave: 'à',
  ccedil: 'ç',
};

/** Elements that end a line. */
const BREAKS = /<(?:br|\/(?:p|div|li|tr|h[1-6]|section|article|blockquote|pre|table|ul|ol|title))\b[^>]*>/gi;

/** Elements whose contents nobody reads. */
const HIDDEN = /<(script|style|noscript|template|svg|head)\b[\s\S]*?<\/\1\s*>/gi;

export function textOfHtml(html: string): string {
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(html)?.[1]?.trim() ?? '';
  const body = html
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(HIDDEN, '')
    .replace(/\s+/g, ' ')
    .replace(/<h([1-6])\b[^>]*>/gi, (_, level: string) => `\n\n${'#'.repeat(Number(level))} `)
    .replace(/<(?:p|div|table|ul|ol|blockquote|section|article)\b[^>]*>/gi, '\n\n')
    .replace(/<li\b[^>]*>/gi, '\n- ')
    .replace(/<\/t[dh]>/gi, '\t')
    .replace(BREAKS, '\n')
    .replace(/<\/?[a-z!][^>]*>/gi, '');
  const text = decoded(body)
    .replace(/[ \t]*\n[ \t]*/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  return title && !text.includes(decoded(title)) ? `# ${decoded(title)}\n\n${text}` : text;
}

function decoded(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi,
    (all, hex?: string, dec?: string, name = '') => {
      if (!hex && !dec) return ENTITIES[name] ?? all;
      const code = hex ? Number.parseInt(hex, 16) : Number(dec);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    },
  );
}
