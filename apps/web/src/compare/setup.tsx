/** The question, and for each side a model and its parameters. */
import type { Signal } from '@preact/signals';
import type { Parameters } from '../provider.ts';
import type { CompareState, Offer } from './state.ts';

export const NAMES = ['A', 'B'] as const;

interface SetupProps {
  readonly state: CompareState;
  readonly offers: readonly Offer[];
  /** Messages before the question. */
  readonly earlier: number;
  readonly onStart: () => void;
}

export function Setup({ state, offers, earlier, onStart }: SetupProps) {
  const start = (event: Event) => {
    event.preventDefault();
    onStart();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) start(event);
  };
  return (
    <form class="cmp-setup" onSubmit={start}>
      <label class="cmp-label" for="cmp-prompt">
        One prompt, two models
      </label>
      {earlier > 0 && <p class="cmp-hint">After {earlier} earlier messages of this chat.</p>}
      <textarea
        id="cmp-prompt"
        class="cmp-prompt"
        rows={2}
        placeholder="Ask both…"
        value={state.prompt.value}
        onInput={(event) => {
          state.prompt.value = event.currentTarget.value;
        }}
        onKeyDown={onKeyDown}
      />
      <div class="cmp-sides">
        {([0, 1] as const).map((side) => (
          <SideSetup key={side} side={side} state={state} offers={offers} />
        ))}
      </div>
      <div class="cmp-actions">
        {state.running.value ? (
          <button type="button" class="cmp-button" onClick={() => state.stop()}>
            Stop
          </button>
        ) : (
          <button type="submit" class="cmp-button cmp-primary" disabled={offers.length === 0}>
            Compare
          </button>
        )}
        <label class="cmp-check">
          <input
            type="checkbox"
            checked={state.inTurn.value}
            onChange={(event) => {
              state.inTurn.value = event.currentTarget.checked;
            }}
          />
          One after the other (fair speeds)
        </label>
        <details class="cmp-system">
          <summary>System prompt</summary>
          <textarea
            aria-label="System prompt"
            rows={2}
            value={state.system.value}
            onInput={(event) => {
              state.system.value = event.currentTarget.value;
            }}
          />
        </details>
      </div>
    </form>
  );
}

interface SideSetupProps {
  readonly side: 0 | 1;
  readonly state: CompareState;
  readonly offers: readonly Offer[];
}

function SideSetup({ side, state, offers }: SideSetupProps) {
  const { key, parameters } = state.choices[side];
  const id = `cmp-model-${side}`;
  return (
    <fieldset class={`cmp-side cmp-${NAMES[side]}`}>
      <legend>
        <span class="cmp-badge">{NAMES[side]}</span>
      </legend>
      <label class="cmp-hidden" for={id}>
        Model {NAMES[side]}
      </label>
      <select
        id={id}
        value={state.chosen(side, offers)?.key ?? ''}
        onChange={(event) => {
          key.value = event.currentTarget.value;
        }}
      >
        {offers.length === 0 && <option value="">no model</option>}
        {offers.map((offer) => (
          <option key={offer.key} value={offer.key}>
            {offer.label}
          </option>
        ))}
      </select>
      <details class="cmp-parameters">
        <summary>{described(parameters.value)}</summary>
        <div class="cmp-fields">
          {FIELDS.map((field) => (
            <ParameterField key={field.name} side={side} field={field} parameters={parameters} />
          ))}
        </div>
      </details>
    </fieldset>
  );
}

type NumberName = Exclude<keyof Parameters, 'stop'>;

interface Field {
  readonly name: NumberName;
  readonly label: string;
  readonly min: number;
  readonly max?: number;
  readonly step: number;
}

/** Parameters that can be set for each side. */
const FIELDS: readonly Field[] = [
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.1 },
  { name: 'top_p', label: 'Top p', min: 0.01, max: 1, step: 0.01 },
  { name: 'top_k', label: 'Top k', min: 0, step: 1 },
  { name: 'min_p', label: 'Min p', min: 0, max: 1, step: 0.01 },
  { name: 'repetition_penalty', label: 'Repetition', min: 0.5, max: 2, step: 0.05 },
  { name: 'seed', label: 'Seed', min: 0, step: 1 },
  { name: 'max_tokens', label: 'Most tokens', min: 1, step: 1 },
];

interface ParameterFieldProps {
  readonly side: 0 | 1;
  readonly field: Field;
  readonly parameters: Signal<Parameters>;
}

function ParameterField({ side, field: { name, label, min, max, step }, parameters }: ParameterFieldProps) {
  const id = `cmp-${side}-${name}`;
  const onInput = (event: { currentTarget: HTMLInputElement }) => {
    const { [name]: _old, ...others } = parameters.value;
    const { value, valueAsNumber } = event.currentTarget;
    parameters.value =
      value === '' || Number.isNaN(valueAsNumber) ? others : { ...others, [name]: valueAsNumber };
  };
  return (
    <label for={id}>
      {label}
      <input
        id={id}
        type="number"
        min={min}
        max={max}
        step={step}
        placeholder="default"
        value={parameters.value[name] ?? ''}
        onInput={onInput}
      />
    </label>
  );
}

/** `Greedy · seed 1 · 256 tokens`. */
function described({ temperature, seed, max_tokens, ...others }: Parameters): string {
  const words = [
    temperature === 0 ? 'Greedy' : temperature === undefined ? '' : `Temperature ${temperature}`,
    ...Object.entries(others).map(([name, value]) => `${name.replace('_', ' ')} ${value}`),
    seed === undefined ? '' : `seed ${seed}`,
    max_tokens === undefined ? '' : `${max_tokens} tokens`,
  ];
  return words.filter((word) => word !== '').join(' · ') || 'The model’s defaults';
}
