/**
 * Teacher forcing: one model reads the other's answer, token by token, knowing all before it. A sign stands where it
 * would have said something else, with what it would have said. So every token is compared, not only those before the
 * first difference.
 */
import { useSignal } from '@preact/signals';
import { Token, tokenKeys } from './columns.tsx';
import { Inspector } from './inspector.tsx';
import type { Side } from './run.ts';
import { NAMES } from './setup.tsx';
import type { Reading, Writer } from './state.ts';
import type { Unit } from './units.ts';

interface ReadingProps {
  readonly writer: Writer;
  readonly sides: readonly [Side, Side];
  readonly reading: Reading | undefined;
}

export function ReadingView({ writer, sides, reading }: ReadingProps) {
  const [own, other] = [NAMES[writer], NAMES[1 - writer]];
  const spot = useSignal<number | undefined>(undefined);
  if (!reading || reading.state === 'waiting') return <p class="cmp-hint">{other} reads…</p>;
  if (reading.state === 'failed') {
    return (
      <p class="cmp-failure" role="alert">
        {reading.failure}
      </p>
    );
  }
  const { tokens } = reading;
  const would = tokens.map(({ token, top }) => (top[0] && top[0].token !== token ? top[0].token : undefined));
  const jumps = would.flatMap((instead, i) => (instead === undefined ? [] : [i]));
  const reached = Math.min(spot.value ?? jumps[0] ?? 0, tokens.length - 1);
  const look = (index: number) => {
    spot.value = index;
  };
  const units = tokens.map(({ token, logprob, top }): Unit => ({ text: token, logprob, top }));
  return (
    <div class={`cmp-reading cmp-${other}`}>
      <p class="cmp-verdict">{readingVerdict(writer, tokens.length, jumps.length)}</p>
      <p class="cmp-hint">
        Perplexity of this answer: {perplexity(sides[writer].tokens)} to {own}, which wrote it;{' '}
        {perplexity(tokens)} to {other}.
      </p>
      <div
        class="cmp-text"
        role="listbox"
        aria-label={`Answer ${own} as ${other} reads it, ${tokens.length} tokens`}
        aria-orientation="horizontal"
        {...tokenKeys(tokens.length, reached, jumps, look)}
      >
        {units.map((unit, i) => (
          <Token
            key={i}
            unit={unit}
            index={i}
            selected={spot.value === i}
            reached={i === reached}
            different={would[i] !== undefined}
            instead={would[i]}
          />
        ))}
      </div>
      {units[reached] && (
        <Inspector
          kind="token"
          note={`The same text before it: how likely each finds token ${reached + 1}.`}
          views={[
            writtenView(writer, sides, reached, units[reached]),
            readView(writer, sides, reached, units[reached]),
          ]}
        />
      )}
    </div>
  );
}

function readingVerdict(writer: Writer, count: number, differences: number): string {
  const [own, other] = [NAMES[writer], NAMES[1 - writer]];
  if (differences === 0) return `${other} would have said each of the ${count} tokens of ${own}`;
  return `${other} would have said ${count - differences} of the ${count} tokens of ${own}`;
}

/** exp of the mean of -ln p; a dash where it is not told. */
function perplexity(tokens: readonly { readonly logprob: number | undefined }[]): string {
  const known = tokens.flatMap(({ logprob }) => (logprob === undefined ? [] : [logprob]));
  if (known.length === 0 || known.length < tokens.length) return '–';
  return Math.exp(-known.reduce((sum, one) => sum + one, 0) / known.length).toFixed(3);
}

/** The writer's own view, if it told one and cut its text as the reader does. */
function writtenView(writer: Writer, sides: readonly [Side, Side], index: number, read: Unit) {
  const token = sides[writer].tokens[index];
  const same = token !== undefined && token.token === read.text;
  const unit = same ? { text: token.token, logprob: token.logprob, top: token.top } : undefined;
  return { name: NAMES[writer], model: `${sides[writer].contender.model.id} wrote it`, index, unit };
}

function readView(writer: Writer, sides: readonly [Side, Side], index: number, unit: Unit) {
  const reader = 1 - writer === 0 ? 0 : 1;
  return { name: NAMES[reader], model: `${sides[reader].contender.model.id} reads it`, index, unit };
}
