/**
 * Answers as lists of tokens: each token is an option that the arrow keys reach and a screen reader names, with its
 * probability and whether it differs. Runs of both answers that belong together stand side by side.
 */
import type { Signal } from '@preact/signals';
import { type Comparison, percent, visible } from './comparison.ts';
import type { Segment } from './diff.ts';
import type { Pair, Side } from './run.ts';
import { NAMES } from './setup.tsx';
import type { Unit } from './units.ts';

/** The token that is looked at. */
export interface Spot {
  readonly side: 0 | 1;
  readonly index: number;
}

interface ColumnsProps {
  readonly comparison: Comparison;
  readonly sides: Pair<Side>;
  readonly shaded: boolean;
  readonly spot: Signal<Spot | undefined>;
}

export function Columns({ comparison, sides, shaded, spot }: ColumnsProps) {
  const { segments } = comparison;
  return (
    <div class={`cmp-grid${shaded ? ' cmp-shaded' : ''}`}>
      <Column side={0} comparison={comparison} running={sides[0].state === 'streaming'} spot={spot} />
      <div class="cmp-gutter" aria-hidden="true" style={spanned(segments)}>
        {segments.map(({ kind }, row) => (
          <span key={row} class={`cmp-sign cmp-${kind}`} style={{ gridRow: `${row + 1}` }}>
            {kind === 'equal' ? '=' : kind === 'different' ? '≠' : '…'}
          </span>
        ))}
      </div>
      <Column side={1} comparison={comparison} running={sides[1].state === 'streaming'} spot={spot} />
    </div>
  );
}

/** A column reaches over all rows, one a run. */
const spanned = ({ length }: readonly Segment[]) => ({ gridRow: `1 / span ${Math.max(1, length)}` });

interface ColumnProps {
  readonly side: 0 | 1;
  readonly comparison: Comparison;
  readonly running: boolean;
  readonly spot: Signal<Spot | undefined>;
}

function Column({ side, comparison: { units, segments, agreement, kind }, running, spot }: ColumnProps) {
  const own = units[side];
  const rangeOf = (segment: Segment) => (side === 0 ? segment.a : segment.b);
  const first = segments.find((segment) => segment.kind === 'different');
  const firstIndex = first && agreement.firstDifference !== undefined ? rangeOf(first).from : undefined;
  const current = spot.value?.side === side ? spot.value.index : (firstIndex ?? 0);
  const reached = Math.min(current, own.length - 1);
  const onLook = (index: number) => {
    spot.value = { side, index };
  };
  if (own.length === 0) return <p class={`cmp-column cmp-empty cmp-${NAMES[side]}`}>…</p>;
  return (
    <div
      class={`cmp-column cmp-${NAMES[side]}`}
      role="listbox"
      aria-label={`Answer ${NAMES[side]}, ${own.length} ${kind}s`}
      aria-orientation="horizontal"
      aria-busy={running}
      style={spanned(segments)}
      {...tokenKeys(own.length, reached, differences(segments, rangeOf), onLook)}
    >
      {segments.map((segment, row) => {
        const { from, to } = rangeOf(segment);
        return (
          // biome-ignore lint/a11y/useSemanticElements: a group of options, not of fields
          <div
            key={row}
            role="group"
            class={`cmp-run cmp-${segment.kind}`}
            style={{ gridRow: `${row + 1}` }}
            aria-label={
              segment.kind === 'equal' ? 'equal' : segment.kind === 'open' ? 'not compared yet' : 'different'
            }
          >
            {from === to && (
              <span
                class="cmp-nothing"
                role="option"
                aria-selected="false"
                aria-disabled="true"
                aria-label="nothing here"
                tabIndex={-1}
              />
            )}
            {own.slice(from, to).map((unit, i) => (
              <Token
                key={from + i}
                unit={unit}
                index={from + i}
                selected={spot.value?.side === side && spot.value.index === from + i}
                reached={from + i === reached}
                different={segment.kind === 'different'}
                first={from + i === firstIndex}
              />
            ))}
          </div>
        );
      })}
    </div>
  );
}

/** Where differences begin, for the keys that jump. */
function differences(
  segments: readonly Segment[],
  rangeOf: (segment: Segment) => Segment['a'],
): readonly number[] {
  return segments.filter(({ kind }) => kind === 'different').map((segment) => rangeOf(segment).from);
}

/** Handlers of a list of tokens: looking with pointer or focus, arrows, Home, End, and N and P for differences. */
export function tokenKeys(
  count: number,
  reached: number,
  jumps: readonly number[],
  onLook: (index: number) => void,
) {
  const indexOf = (target: EventTarget | null) => {
    const token = target instanceof Element ? target.closest('[data-index]') : null;
    return token ? Number(token.getAttribute('data-index')) : undefined;
  };
  const look = (event: Event) => {
    const index = indexOf(event.target);
    if (index !== undefined) onLook(index);
  };
  const targets: Readonly<Record<string, () => number | undefined>> = {
    ArrowRight: () => reached + 1,
    ArrowDown: () => reached + 1,
    ArrowLeft: () => reached - 1,
    ArrowUp: () => reached - 1,
    Home: () => 0,
    End: () => count - 1,
    n: () => jumps.find((jump) => jump > reached),
    p: () => jumps.findLast((jump) => jump < reached),
  };
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = targets[event.key]?.();
    if (target === undefined || target < 0 || target >= count) return;
    event.preventDefault();
    event.currentTarget.querySelector<HTMLElement>(`[data-index="${target}"]`)?.focus();
  };
  return { onPointerOver: look, onFocusIn: look, onClick: look, onKeyDown };
}

/** How sure the model was, in five steps; 0: quite sure. */
function doubt(logprob: number | undefined): number {
  const p = logprob === undefined ? 1 : Math.exp(logprob);
  return [0.9, 0.7, 0.5, 0.3].filter((limit) => p < limit).length;
}

interface TokenProps {
  readonly unit: Unit;
  readonly index: number;
  readonly selected: boolean;
  /** The one that Tab reaches. */
  readonly reached: boolean;
  readonly different: boolean;
  readonly first?: boolean;
  /** What the reader would have said instead. */
  readonly instead?: string | undefined;
}

export function Token({ unit, index, selected, reached, different, first = false, instead }: TokenProps) {
  const label = [
    `“${visible(unit.text).replace(/^␣/, '')}”`,
    unit.logprob === undefined ? '' : percent(unit.logprob),
    first ? 'first difference' : different && instead === undefined ? 'differs' : '',
    instead === undefined ? '' : `it would have said “${visible(instead)}”`,
  ];
  const names = ['cmp-token', `cmp-doubt-${doubt(unit.logprob)}`];
  if (different) names.push('cmp-differs');
  if (first) names.push('cmp-first');
  return (
    <span
      role="option"
      class={names.join(' ')}
      data-index={index}
      data-instead={instead === undefined ? undefined : visible(instead)}
      tabIndex={reached ? 0 : -1}
      aria-selected={selected}
      aria-label={label.filter((word) => word !== '').join(', ')}
    >
      {unit.text.includes('\n') ? lineEnds(unit.text) : unit.text}
    </span>
  );
}

/** Line ends break the line and show where they are. */
function lineEnds(text: string) {
  const [start, ...lines] = text.split('\n');
  return [
    start,
    ...lines.map((line, i) => (
      <>
        <span key={i} class="cmp-end">
          ↵
        </span>
        {'\n'}
        {line}
      </>
    )),
  ];
}
