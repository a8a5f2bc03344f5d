/** Markdown as it is spoken: the words without their marks; code is named, not read. */
import { lexer, type Token, type Tokens } from 'marked';

/** Tokens of a kind that is more than the words inside it. */
const SPOKEN: Readonly<Record<string, (token: Token) => string>> = {
  code: (token) => `Code: ${(token as Tokens.Code).lang || 'a block'}.`,
  image: (token) => (token as Tokens.Image).text,
  hr: () => '',
  space: () => '',
  br: () => ' ',
  list: (token) => (token as Tokens.List).items.map((item) => spokenAll(item.tokens)).join('\n'),
  table: (token) => {
    const { header, rows } = token as Tokens.Table;
    return [header, ...rows].map((row) => row.map((cell) => spokenAll(cell.tokens)).join(', ')).join('\n');
  },
};

function spoken(token: Token): string {
  const special = SPOKEN[token.type];
  if (special) return special(token);
  if ('tokens' in token && token.tokens) return spokenAll(token.tokens);
  return 'text' in token ? String(token.text) : '';
}

const INLINE: ReadonlySet<string> = new Set([
  'text',
  'strong',
  'em',
  'del',
  'link',
  'codespan',
  'escape',
  'html',
  'image',
  'br',
]);

function spokenAll(tokens: readonly Token[]): string {
  return tokens.reduce((said, token) => {
    const next = spoken(token);
    if (next === '') return said;
    return said === '' || INLINE.has(token.type) ? said + next : `${said}\n${next}`;
  }, '');
}

export const plainText = (markdown: string): string => spokenAll(lexer(markdown)).trim();
