/** The comparison in numbers, and as a ribbon: where both say the same, from the first token to the last. */
import type { Comparison } from './comparison.ts';
import type { Segment } from './diff.ts';
import { isRunning, type Pair, type Side, speedOf } from './run.ts';
import { NAMES } from './setup.tsx';

/** `8.6 MB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

interface FiguresProps {
  readonly comparison: Comparison;
  readonly sides: Pair<Side>;
}

export function Figures({ comparison: { agreement, kind, segments }, sides }: FiguresProps) {
  const { firstDifference, share, equal } = agreement;
  const running = sides.some(isRunning);
  const share100 = Math.floor(100 * share);
  const verdict =
    firstDifference !== undefined
      ? `They part at ${kind} ${firstDifference + 1}`
      : running
        ? 'No difference so far'
        : 'The same answer';
  return (
    <div class="cmp-figures">
      <p class="cmp-verdict" role="status">
        {verdict}
      </p>
      <p class="cmp-share">
        <strong>{share100} %</strong> of the {kind}s equal <span>({equal})</span>
      </p>
      <Ribbon segments={segments} label={`${share100} % of the ${kind}s are equal`} />
    </div>
  );
}

/** A above B; runs that belong together begin at one place. */
function Ribbon({ segments, label }: { readonly segments: readonly Segment[]; readonly label: string }) {
  let at = 0;
  const rects = segments.flatMap(({ kind, a, b }, row) => {
    const x = at;
    at += Math.max(a.to - a.from, b.to - b.from);
    return [a, b].map(({ from, to }, side) => (
      <rect
        key={`${row}-${side}`}
        class={`cmp-${kind} cmp-${NAMES[side]}`}
        x={x}
        y={side * 5.5}
        width={to - from}
        height={4.5}
      />
    ));
  });
  return (
    <svg
      class="cmp-ribbon"
      viewBox={`0 0 ${Math.max(1, at)} 10`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {rects}
    </svg>
  );
}

/** What is known of one side, above its answer. */
export function SideFacts({ side, index }: { readonly side: Side; readonly index: 0 | 1 }) {
  const { contender, tokens, waitMs, state, end, failure } = side;
  const speed = speedOf(side);
  const facts = [
    contender.model.fileType,
    contender.model.bytes === undefined ? undefined : sizeText(contender.model.bytes),
    `${tokens.length} tokens`,
    speed === undefined ? undefined : `${speed.toFixed(1)} tokens/s`,
    tokens.length > 0 ? `first after ${(waitMs / 1000).toFixed(1)} s` : undefined,
    state === 'waiting' ? 'waiting' : undefined,
    end?.reason === 'length' ? 'cut at the limit' : end?.reason === 'aborted' ? 'stopped' : undefined,
  ];
  return (
    <header class={`cmp-head cmp-${NAMES[index]}`}>
      <h3>
        <span class="cmp-badge">{NAMES[index]}</span> {contender.model.id}
      </h3>
      <p>{facts.filter((fact) => fact !== undefined).join(' · ')}</p>
      {failure && (
        <p class="cmp-failure" role="alert">
          {failure}
        </p>
      )}
    </header>
  );
}
