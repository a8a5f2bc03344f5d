/** Makes buttons of the citations in an answer that is on the page: text nodes are cut, nothing is parsed. */
import { citationsIn } from './citations.ts';

/** Marks what was made here. */
const CLASS = 'citation';

/**
 * @param sources how many there are; a citation beyond them is marked as such.
 * @param open is called with the number of a source, from 1.
 */
export function linkCitations(root: Element, sources: number, open: (source: number) => void): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement?.closest(`pre, code, a, button, .${CLASS}`)
      ? NodeFilter.FILTER_REJECT
      : NodeFilter.FILTER_ACCEPT,
  );
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) cut(text, sources, open);
}

function cut(node: Text, sources: number, open: (source: number) => void): void {
  const citations = citationsIn(node.data);
  if (citations.length === 0) return;
  const parts: (string | Node)[] = [];
  let at = 0;
  for (const { from, to, source } of citations) {
    parts.push(
      node.data.slice(at, from),
      source >= 1 && source <= sources ? link(source, open) : unknown(source),
    );
    at = to;
  }
  node.replaceWith(...parts, node.data.slice(at));
}

function link(source: number, open: (source: number) => void): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = CLASS;
  button.textContent = String(source);
  button.setAttribute('aria-label', `Source ${source}`);
  button.addEventListener('click', () => open(source));
  return button;
}

function unknown(source: number): HTMLElement {
  const mark = document.createElement('span');
  mark.className = `${CLASS} citation-unknown`;
  mark.textContent = `${source}?`;
  mark.title = 'There is no such source';
  return mark;
}
