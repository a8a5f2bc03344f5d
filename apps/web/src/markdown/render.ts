/**
 * A block of markdown as nodes for the page. Three walls, each enough alone: raw HTML is shown as text but for a few
 * harmless tags; DOMPurify lets through what the policy lists; the page's Content-Security-Policy runs nothing inline.
 */
import { Marked, type Tokens } from 'marked';
import { highlight } from './languages.ts';
import { purify } from './policy.ts';

/** Tags without attributes that models like to write into markdown. */
const PLAIN_TAG = /^<\/?(?:br|sub|sup|kbd|b|i|u|em|strong|mark|small) *\/?>$/i;

/** Characters of an unfinished code block up to which it is coloured while it grows. */
const COLOURED_WHILE_OPEN = 8_000;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (found) => ESCAPES[found] ?? '');

/** The first word behind the fence, as far as it can be a language. */
const languageOf = (info: string | undefined): string => /^[\w+#.-]{1,30}/.exec(info ?? '')?.[0] ?? '';

function codeMarkup({ text, lang }: Tokens.Code, open: boolean): string {
  const language = languageOf(lang);
  const coloured = open && text.length > COLOURED_WHILE_OPEN ? undefined : highlight(text, language);
  const name = language && ` class="language-${escapeHtml(language)}"`;
  return `<pre><code${name}>${coloured ?? escapeHtml(text)}</code></pre>`;
}

function parserOf(open: boolean): Marked {
  return new Marked({
    gfm: true,
    renderer: {
      code: (token) => codeMarkup(token, open),
      html: ({ text }) => (PLAIN_TAG.test(text.trim()) ? text : escapeHtml(text)),
      // Loading a picture would tell its server who reads what, and when.
      image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    },
  });
}

const PARSERS = { open: parserOf(true), whole: parserOf(false) };

/** Code blocks get a head with their language and a button that copies. */
function frameCode(fragment: DocumentFragment): void {
  for (const pre of fragment.querySelectorAll('pre')) {
    const frame = document.createElement('div');
    frame.className = 'code-block';
    const head = document.createElement('div');
    head.className = 'code-head';
    const name = document.createElement('span');
    name.textContent = /language-(\S+)/.exec(pre.firstElementChild?.className ?? '')?.[1] ?? '';
    const copy = document.createElement('button');
    copy.type = 'button';
    copy.className = 'copy-code';
    copy.textContent = 'Copy';
    copy.setAttribute('aria-label', 'Copy code');
    head.append(name, copy);
    // A scrolled area must be reachable by keyboard.
    pre.tabIndex = 0;
    pre.replaceWith(frame);
    frame.append(head, pre);
  }
}

/** Wide tables scroll in a frame of their own. */
function frameTables(fragment: DocumentFragment): void {
  for (const table of fragment.querySelectorAll('table')) {
    const frame = document.createElement('div');
    frame.className = 'table-frame';
    frame.tabIndex = 0;
    frame.setAttribute('role', 'region');
    frame.setAttribute('aria-label', 'Table');
    table.replaceWith(frame);
    frame.append(table);
  }
}

/** @param open the block may still grow. */
export function renderBlock(source: string, open: boolean): DocumentFragment {
  const fragment = purify(PARSERS[open ? 'open' : 'whole'].parse(source, { async: false }));
  frameCode(fragment);
  frameTables(fragment);
  return fragment;
}
