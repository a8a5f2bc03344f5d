/** Below an answer: its sources, what of them it cites, and each in its file with the passage marked. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Dialog } from '../components/dialog.tsx';
import type { TurnSlotProps } from '../extensions.ts';
import type { Attachments } from './attachments.ts';
import { checkCitations } from './citations.ts';
import { linkCitations } from './link-citations.ts';
import type { Passage } from './search.ts';
import { sourcesOf } from './sources.ts';

export function citedParts(attachments: Attachments) {
  return function Cited({ turn, conversation }: TurnSlotProps) {
    const notes = turn.role === 'assistant' ? sourcesOf(turn.notes) : undefined;
    const place = useRef<HTMLElement>(null);
    const shown = useSignal<number | undefined>(undefined);
    const count = notes?.sources.length ?? 0;
    const open = (source: number) => {
      shown.value = source;
    };
    useLayoutEffect(() => {
      const answer = place.current?.closest('article')?.querySelector('.markdown');
      if (answer && count > 0) linkCitations(answer, count, open);
    }, [turn.content, count]);
    if (!notes || turn.role !== 'assistant' || turn.facts.state === 'failed') return null;
    const { cited, unknown } = checkCitations(turn.content, count);
    const source = shown.value === undefined ? undefined : notes.sources[shown.value - 1];
    return (
      <section class="sources" ref={place} aria-label="Sources">
        {turn.facts.state !== 'withheld' && <Verdict cited={cited} unknown={unknown} count={count} />}
        {count > 0 && (
          <ol class="source-list">
            {notes.sources.map((one, i) => (
              <li key={`${one.file}-${one.from}`} class={cited.includes(i + 1) ? 'source-cited' : ''}>
                <button type="button" onClick={() => open(i + 1)}>
                  <span class="source-number">{i + 1}</span>
                  {titleOf(one)}
                  <span class="offscreen">{cited.includes(i + 1) ? ', cited' : ', not cited'}</span>
                </button>
              </li>
            ))}
          </ol>
        )}
        {notes.onlyWords && <p class="quiet">Searched by words only: {notes.onlyWords}</p>}
        {source && shown.value !== undefined && (
          <SourceDialog
            source={source}
            number={shown.value}
            text={attachments.of(conversation).value.find(({ id }) => id === source.file)?.text}
            onClose={() => {
              shown.value = undefined;
            }}
          />
        )}
      </section>
    );
  };
}

const titleOf = ({ name, heading }: Passage): string => (heading ? `${name}, ${heading}` : name);

interface VerdictProps {
  readonly cited: readonly number[];
  readonly unknown: readonly number[];
  readonly count: number;
}

/** What is to be doubted. */
function Verdict({ cited, unknown, count }: VerdictProps) {
  if (count === 0)
    return <p class="source-warning">Nothing in the attached files was found for this question.</p>;
  const problems = [
    ...(unknown.length > 0
      ? [`It cites ${unknown.map((one) => `[${one}]`).join(', ')}: there is no such source.`]
      : []),
    ...(cited.length === 0 ? ['It cites none of its sources: check it against them.'] : []),
  ];
  if (problems.length === 0) return <h4 class="source-title">Sources</h4>;
  return (
    <p class="source-warning">
      <span aria-hidden="true">⚠ </span>
      {problems.join(' ')}
    </p>
  );
}

interface SourceDialogProps {
  readonly source: Passage;
  readonly number: number;
  /** Of the whole file; undefined: it is no longer attached. */
  readonly text: string | undefined;
  readonly onClose: () => void;
}

/** Characters of the file around the passage that are shown at most, on each side. */
const AROUND = 20_000;

function SourceDialog({ source, number, text, onClose }: SourceDialogProps) {
  const mark = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    mark.current?.scrollIntoView({ block: 'center' });
    mark.current?.focus();
  }, []);
  // A file that has changed, or is gone, still shows the passage that the model read.
  const here = text?.slice(source.from, source.to) === source.text;
  const before = here && text ? text.slice(Math.max(0, source.from - AROUND), source.from) : '';
  const after = here && text ? text.slice(source.to, source.to + AROUND) : '';
  return (
    <Dialog title={`[${number}] ${titleOf(source)}`} onClose={onClose}>
      {!here && <p class="quiet">The file is no longer attached; this is the passage that was read.</p>}
      <div class="source-text">
        {before}
        <mark ref={mark} tabIndex={-1}>
          {source.text}
        </mark>
        {after}
      </div>
    </Dialog>
  );
}
