/** One place in both answers: what each model found how likely there. */
import type { ComponentChildren } from 'preact';
import { percent, visible } from './comparison.ts';
import type { NAMES } from './setup.tsx';
import type { Unit } from './units.ts';

/** A model's view of a place. */
export interface View {
  readonly name: (typeof NAMES)[number];
  readonly model: string;
  /** From 0; undefined: it has nothing there. */
  readonly index: number | undefined;
  readonly unit: Unit | undefined;
}

interface InspectorProps {
  readonly views: readonly View[];
  readonly kind: string;
  /** What is to be known of the place. */
  readonly note: ComponentChildren;
}

export function Inspector({ views, kind, note }: InspectorProps) {
  return (
    <section class="cmp-inspector" aria-label="How likely each model found this">
      <p class="cmp-note">{note}</p>
      <div class="cmp-views">
        {views.map(({ name, model, index, unit }) => (
          <div key={name} class={`cmp-view cmp-${name}`}>
            <h4>
              <span class="cmp-badge">{name}</span> {model}
              {index !== undefined && (
                <span class="cmp-where">
                  {kind} {index + 1}
                </span>
              )}
            </h4>
            {unit ? <Likely unit={unit} /> : <p class="cmp-hint">Nothing in this place.</p>}
          </div>
        ))}
      </div>
    </section>
  );
}

/** The token and what might have come in its place, the likeliest first. */
function Likely({ unit: { text, logprob, top } }: { readonly unit: Unit }) {
  if (logprob === undefined) return <p class="cmp-hint">This server tells no probabilities.</p>;
  const known = top.some(({ token }) => token === text);
  const rows = known || top.length === 0 ? [...top] : [...top, { token: text, logprob }];
  if (rows.length === 0) rows.push({ token: text, logprob });
  return (
    <ol class="cmp-likely">
      {rows.map(({ token, logprob: ln }, i) => (
        <li key={i} class={token === text ? 'cmp-said' : ''}>
          <span class="cmp-word">
            {visible(token)}
            {token === text && <span class="cmp-hidden"> (said)</span>}
          </span>
          <span class="cmp-bar" aria-hidden="true">
            <span style={{ width: `${(100 * Math.exp(ln)).toFixed(2)}%` }} />
          </span>
          <span class="cmp-percent">{percent(ln)}</span>
        </li>
      ))}
    </ol>
  );
}
