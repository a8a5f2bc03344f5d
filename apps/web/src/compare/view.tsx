/** Compare: two models, one prompt, side by side. */
import { useSignal } from '@preact/signals';
import type { Message } from '../provider.ts';
import type { Conversation } from '../state/conversation.ts';
import { Columns, type Spot } from './columns.tsx';
import { type Comparison, counterpart } from './comparison.ts';
import { Figures, SideFacts } from './figures.tsx';
import { Inspector, type View } from './inspector.tsx';
import { ReadingView } from './reading.tsx';
import { conversationOf, fileNameOf, markdownOf, recordOf } from './record.ts';
import type { Pair, Side } from './run.ts';
import { NAMES, Setup } from './setup.tsx';
import { type CompareState, offersOf, type Source, type Writer } from './state.ts';
import './compare.css';

export interface CompareProps {
  /** Made once, outside, so that a look at the chat loses nothing. */
  readonly state: CompareState;
  readonly sources: readonly Source[];
  /** What was said before the prompt. */
  readonly history?: readonly Message[];
  /** Keeps a comparison among the conversations. */
  readonly keep?: (conversation: Conversation) => void;
}

export function CompareView({ state, sources, history = [], keep }: CompareProps) {
  const offers = offersOf(sources);
  const sides = state.sides.value;
  const comparison = state.comparison.value;
  return (
    <section class="cmp" aria-labelledby="cmp-title">
      <h2 id="cmp-title">Compare</h2>
      <Setup
        state={state}
        offers={offers}
        earlier={history.length}
        onStart={() => void state.start(offers, history)}
      />
      {sides && comparison ? (
        <Result state={state} sides={sides} comparison={comparison} keep={keep} />
      ) : (
        <p class="cmp-hint">
          Both answer greedily with the same seed, so what differs is the work of the weights alone.
        </p>
      )}
    </section>
  );
}

interface ResultProps {
  readonly state: CompareState;
  readonly sides: Pair<Side>;
  readonly comparison: Comparison;
  readonly keep: CompareProps['keep'];
}

type Tab = 'both' | Writer;

function Result({ state, sides, comparison, keep }: ResultProps) {
  const spot = useSignal<Spot | undefined>(undefined);
  const tab = useSignal<Tab>('both');
  const over = !state.running.value;
  const shown: Tab = tab.value !== 'both' && over && state.canRead(tab.value) ? tab.value : 'both';
  const choose = (next: Tab) => {
    tab.value = next;
    if (next !== 'both') void state.read(next);
  };
  if (shown !== 'both' && !state.readings[shown].value) void state.read(shown);
  const tabs: readonly { readonly tab: Tab; readonly label: string; readonly possible: boolean }[] = [
    { tab: 'both', label: 'Side by side', possible: true },
    { tab: 0, label: 'B reads A', possible: over && state.canRead(0) && sides[0].text !== '' },
    { tab: 1, label: 'A reads B', possible: over && state.canRead(1) && sides[1].text !== '' },
  ];
  return (
    <div class="cmp-result">
      <Figures comparison={comparison} sides={sides} />
      <div class="cmp-toolbar">
        <fieldset class="cmp-tabs">
          <legend class="cmp-hidden">View</legend>
          {tabs.map(({ tab: one, label, possible }) => (
            <button
              key={label}
              type="button"
              aria-pressed={shown === one}
              disabled={!possible}
              onClick={() => choose(one)}
            >
              {label}
            </button>
          ))}
        </fieldset>
        <label class="cmp-check">
          <input
            type="checkbox"
            checked={state.shaded.value}
            onChange={(event) => {
              state.shaded.value = event.currentTarget.checked;
            }}
          />
          Shade what it was unsure of
        </label>
        {over && <Keeping state={state} sides={sides} comparison={comparison} keep={keep} />}
      </div>
      {shown === 'both' ? (
        <>
          <div class="cmp-heads">
            <SideFacts side={sides[0]} index={0} />
            <SideFacts side={sides[1]} index={1} />
          </div>
          <Columns comparison={comparison} sides={sides} shaded={state.shaded.value} spot={spot} />
          <SpotInspector comparison={comparison} sides={sides} spot={spot.value} />
        </>
      ) : (
        <div class={state.shaded.value ? 'cmp-shaded' : ''}>
          <ReadingView key={shown} writer={shown} sides={sides} reading={state.readings[shown].value} />
        </div>
      )}
    </div>
  );
}

interface SpotInspectorProps {
  readonly comparison: Comparison;
  readonly sides: Pair<Side>;
  readonly spot: Spot | undefined;
}

/** The token that is looked at, else the first difference. */
function SpotInspector({ comparison, sides, spot }: SpotInspectorProps) {
  const { units, agreement, segments, kind } = comparison;
  const at: Spot | undefined =
    spot ??
    (agreement.firstDifference === undefined ? undefined : { side: 0, index: agreement.firstDifference });
  if (!at)
    return (
      <p class="cmp-hint">
        Point at a token, or reach it with the arrow keys, to see what else might have come.
      </p>
    );
  const places = placesOf(comparison, at);
  const parted = agreement.firstDifference;
  const first = segments.find((segment) => segment.kind === 'different');
  const isFirst = parted !== undefined && places[0] === first?.a.from && places[1] === first?.b.from;
  const before = parted === undefined || (places[0] ?? places[1] ?? 0) <= parted;
  const note = isFirst
    ? 'Here they part, after the same text: what each found likely.'
    : before
      ? 'After the same text: what each found likely.'
      : 'After different texts: what each found likely in its own.';
  const views = ([0, 1] as const).map((side): View => {
    const index = places[side];
    const unit = index === undefined ? undefined : units[side][index];
    return { name: NAMES[side], model: sides[side].contender.model.id, index, unit };
  });
  return <Inspector views={views} kind={kind} note={note} />;
}

/** The places in both answers that belong to a spot: in a difference those that are as far into it. */
function placesOf({ segments, units }: Comparison, { side, index }: Spot): Pair<number | undefined> {
  const equal = counterpart(segments, side, index);
  const segment = segments.find(({ a, b }) => {
    const own = side === 0 ? a : b;
    return index >= own.from && index < own.to;
  });
  const [own, other] = side === 0 ? [segment?.a, segment?.b] : [segment?.b, segment?.a];
  const beside = equal ?? (own && other ? other.from + index - own.from : undefined);
  const there = beside !== undefined && beside < units[1 - side].length ? beside : undefined;
  const within = equal !== undefined || (there !== undefined && other !== undefined && there < other.to);
  const far = within ? there : undefined;
  return side === 0 ? [index, far] : [far, index];
}

function Keeping({ state, sides, comparison, keep }: ResultProps) {
  const record = () => recordOf(state.messages, sides, comparison);
  const kept = useSignal<Pair<Side> | undefined>(undefined);
  const save = (extension: string, type: string, text: string) =>
    download(fileNameOf(record(), extension), type, text);
  return (
    <div class="cmp-keep">
      {keep && (
        <button
          type="button"
          disabled={kept.value === sides}
          onClick={() => {
            keep(conversationOf(record(), crypto.randomUUID(), Date.now()));
            kept.value = sides;
          }}
        >
          {kept.value === sides ? 'Kept as a chat' : 'Keep as a chat'}
        </button>
      )}
      <button type="button" onClick={() => save('md', 'text/markdown', markdownOf(record(), comparison))}>
        Markdown
      </button>
      <button
        type="button"
        onClick={() => save('json', 'application/json', `${JSON.stringify(record(), null, 2)}\n`)}
      >
        JSON
      </button>
    </div>
  );
}

function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The click has started the download; the address may go once the event is over.
  setTimeout(() => URL.revokeObjectURL(url));
}
