/**
 * An answer as formatted text. It is cut into blocks; while it grows only the last ones are parsed and drawn again, so
 * that a long answer stays as quick as a short one. What gets into the page comes out of `markdown/policy.ts`.
 */
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { copyText } from '../copy-text.ts';
import { BlockCutter } from '../markdown/blocks.ts';
import { renderBlock } from '../markdown/render.ts';
import { useApp } from '../state/app.ts';

export function Markdown({ text, growing = false }: { readonly text: string; readonly growing?: boolean }) {
  const cutter = useMemo(() => new BlockCutter(), []);
  const blocks = useMemo(() => (growing ? cutter.grow(text) : cutter.whole(text)), [text, growing]);
  const { announcement } = useApp();
  const onClick = (event: MouseEvent) => {
    const button = event.target instanceof Element ? event.target.closest('button.copy-code') : null;
    const code = button?.closest('.code-block')?.querySelector('code');
    if (!button || !code) return;
    void copyText(code.textContent ?? '').then((copied) => {
      announcement.value = copied ? 'Copied.' : 'The browser does not allow copying here.';
      button.textContent = copied ? 'Copied' : 'Not allowed';
      setTimeout(() => (button.textContent = 'Copy'), 1500);
    });
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: clicks of the buttons inside
    <div class="markdown" onClick={onClick}>
      {blocks.map((block, index) => (
        <Block key={index} source={block} open={growing && index === blocks.length - 1} />
      ))}
    </div>
  );
}

/** @param open its text may still grow. */
function Block({ source, open }: { readonly source: string; readonly open: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    place.current?.replaceChildren(renderBlock(source, open));
  }, [source, open]);
  return <div class="block" ref={place} />;
}
