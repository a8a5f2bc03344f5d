/**
 * What markup of an answer may contain. A list of what is allowed: all else is dropped, its text kept where that is
 * text. Links lead to http, https and mailto only, open in another tab and tell nothing of this page; classes are those
 * of the highlighter, so that an answer cannot dress up as a part of the page.
 */
import createPurifier from 'dompurify';

const TAGS = [
  ...['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'blockquote', 'ul', 'ol', 'li', 'pre', 'code'],
  ...['em', 'strong', 'b', 'i', 'u', 'del', 'mark', 'small', 'sub', 'sup', 'kbd', 'span', 'a', 'input'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
];

const ATTRIBUTES = ['href', 'title', 'class', 'align', 'start', 'type', 'checked', 'disabled'];

/** Addresses that a link may have; relative ones would lead into the page itself. */
const LINK = /^(?:https?:|mailto:)/i;

const HIGHLIGHTER_CLASS = /^(?:hljs-[\w-]+|language-[\w+#.-]+|function_|class_|inherited__|[a-z]+_)$/;

const purifier = createPurifier(window);

purifier.addHook('afterSanitizeAttributes', (node) => {
  const classes = (node.getAttribute('class') ?? '')
    .split(/\s+/)
    .filter((name) => HIGHLIGHTER_CLASS.test(name));
  if (classes.length > 0) node.setAttribute('class', classes.join(' '));
  else node.removeAttribute('class');
  if (node.tagName === 'A') secureLink(node);
  if (node.tagName === 'INPUT') secureBox(node);
});

function secureLink(link: Element): void {
  const address = link.getAttribute('href') ?? '';
  if (!LINK.test(address.trim())) {
    link.removeAttribute('href');
    return;
  }
  link.setAttribute('rel', 'noopener noreferrer nofollow');
  link.setAttribute('target', '_blank');
}

/** Task lists have boxes that show and do nothing; any other input goes. */
function secureBox(box: Element): void {
  if (box.getAttribute('type') !== 'checkbox') {
    box.remove();
    return;
  }
  box.setAttribute('disabled', '');
  box.setAttribute('aria-label', box.hasAttribute('checked') ? 'Done' : 'Not done');
}

export function purify(markup: string): DocumentFragment {
  return purifier.sanitize(markup, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    // DOMPurify holds the values of all other attributes against the rule for addresses, too.
    ADD_URI_SAFE_ATTR: ['align', 'start', 'type'],
    ALLOWED_URI_REGEXP: LINK,
    RETURN_DOM_FRAGMENT: true,
  });
}
