/** What the comparison's view shows and does: choices, a match, and one model reading the other's answer. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { AnswerToken, Message, ModelInfo, Parameters, Provider } from '../provider.ts';
import { type Comparison, compare } from './comparison.ts';
import { type Contender, isRunning, type Pair, runMatch, type Side } from './run.ts';

/** A provider and what it offers. */
export interface Source {
  readonly provider: Provider;
  readonly models: readonly ModelInfo[];
}

export interface Offer {
  readonly key: string;
  readonly label: string;
  readonly provider: Provider;
  readonly model: ModelInfo;
}

/** What one side is set to. */
export interface Choice {
  readonly key: Signal<string>;
  readonly parameters: Signal<Parameters>;
}

/** 0: B reads the answer of A; 1: A reads that of B. */
export type Writer = 0 | 1;

export interface Reading {
  readonly state: 'waiting' | 'done' | 'failed';
  readonly tokens: readonly AnswerToken[];
  readonly failure?: string;
}

/** Always the likeliest token: then only the weights make a difference. */
const GREEDY: Parameters = { temperature: 0, seed: 1, max_tokens: 256 };

/** Alternatives that the reader tells of each token. */
const ALTERNATIVES = 5;

export function offersOf(sources: readonly Source[]): Offer[] {
  return sources.flatMap(({ provider, models }) =>
    models.map((model) => {
      const type = model.fileType && !model.id.includes(model.fileType) ? ` (${model.fileType})` : '';
      const place = sources.length > 1 ? ` — ${provider.name}` : '';
      return { key: `${provider.name}\n${model.id}`, label: model.id + type + place, provider, model };
    }),
  );
}

export class CompareState {
  readonly prompt = signal('');
  readonly system = signal('');
  readonly inTurn = signal(false);
  readonly shaded = signal(false);
  readonly choices: Pair<Choice> = [
    { key: signal(''), parameters: signal(GREEDY) },
    { key: signal(''), parameters: signal(GREEDY) },
  ];
  readonly sides = signal<Pair<Side> | undefined>(undefined);
  readonly readings: Pair<Signal<Reading | undefined>> = [signal(undefined), signal(undefined)];
  readonly comparison: ReadonlySignal<Comparison | undefined> = computed(() =>
    this.sides.value ? compare(this.sides.value) : undefined,
  );
  readonly running: ReadonlySignal<boolean> = computed(() => this.sides.value?.some(isRunning) ?? false);
  /** What the answers answer. */
  messages: readonly Message[] = [];
  #stop = new AbortController();

  /** The offer that a side is set to; where none is, the first for A and the second for B. */
  chosen(side: 0 | 1, offers: readonly Offer[]): Offer | undefined {
    const { key } = this.choices[side];
    return offers.find((offer) => offer.key === key.value) ?? offers[Math.min(side, offers.length - 1)];
  }

  /** @param history what was said before the prompt. */
  async start(offers: readonly Offer[], history: readonly Message[]): Promise<void> {
    const [a, b] = [this.#contender(0, offers), this.#contender(1, offers)];
    const question = this.prompt.value.trim();
    if (!a || !b || question === '') return;
    this.stop();
    this.#stop = new AbortController();
    const system = this.system.value.trim();
    this.messages = [
      ...(system ? [{ role: 'system', content: system } as const] : []),
      ...history,
      { role: 'user', content: question },
    ];
    for (const reading of this.readings) reading.value = undefined;
    const { signal: current } = this.#stop;
    await runMatch({
      messages: this.messages,
      contenders: [a, b],
      inTurn: this.inTurn.value,
      signal: current,
      onChange: (sides) => {
        if (this.#stop.signal === current) this.sides.value = sides;
      },
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Whether the other model can be asked what it thinks of this one's answer. */
  canRead(writer: Writer): boolean {
    const sides = this.sides.value;
    return sides !== undefined && sides[1 - writer].contender.provider.score !== undefined;
  }

  /** Asks once for each answer. */
  async read(writer: Writer): Promise<void> {
    const sides = this.sides.value;
    const reading = this.readings[writer];
    if (!sides || this.running.value || (reading.value && reading.value.state !== 'failed')) return;
    const { provider, model } = sides[1 - writer].contender;
    const { signal: current } = this.#stop;
    const put = (value: Reading) => {
      if (this.sides.value === sides) reading.value = value;
    };
    put({ state: 'waiting', tokens: [] });
    try {
      const request = {
        model: model.id,
        messages: this.messages,
        answer: sides[writer].text,
        top: ALTERNATIVES,
      };
      // A stop of the answers before this is no stop of the reading.
      const live = current.aborted ? new AbortController().signal : current;
      put({ state: 'done', tokens: (await provider.score?.({ ...request, signal: live })) ?? [] });
    } catch (error) {
      put({ state: 'failed', tokens: [], failure: error instanceof Error ? error.message : String(error) });
    }
  }

  #contender(side: 0 | 1, offers: readonly Offer[]): Contender | undefined {
    const offer = this.chosen(side, offers);
    if (!offer) return undefined;
    const parameters = this.choices[side].parameters.value;
    return { provider: offer.provider, model: offer.model, parameters };
  }
}
