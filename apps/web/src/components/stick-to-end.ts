/** A scrolled area that follows what grows at its end, until the reader scrolls away from there. */
import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Pixels above the end that still count as the end. */
const NEAR = 48;

export interface StickToEnd {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly atEnd: Signal<boolean>;
  readonly toEnd: () => void;
}

/** @param key with another key the area starts at its end again. */
export function useStickToEnd(key: string): StickToEnd {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useSignal(true);
  const toEnd = () => {
    const area = scroller.current;
    if (area) area.scrollTop = area.scrollHeight;
    atEnd.value = true;
  };
  useLayoutEffect(() => {
    const area = scroller.current;
    const inner = content.current;
    if (!area || !inner) return undefined;
    let last = area.scrollTop;
    const onScroll = () => {
      const near = area.scrollHeight - area.scrollTop - area.clientHeight < NEAR;
      // What has grown since the last step is not the reader's doing: only the way up leaves the end.
      if (near) atEnd.value = true;
      else if (area.scrollTop < last) atEnd.value = false;
      last = area.scrollTop;
    };
    const growth = new ResizeObserver(() => {
      if (atEnd.peek()) area.scrollTop = area.scrollHeight;
    });
    area.addEventListener('scroll', onScroll, { passive: true });
    growth.observe(inner);
    growth.observe(area);
    return () => {
      area.removeEventListener('scroll', onScroll);
      growth.disconnect();
    };
  }, []);
  useLayoutEffect(toEnd, [key]);
  return { scroller, content, atEnd, toEnd };
}
