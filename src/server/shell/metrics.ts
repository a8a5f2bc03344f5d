/** Numbers for Prometheus, in a registry of their own. Names and units follow its conventions. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ServiceStats } from '../../generate/index.ts';
import type { ServedModel } from '../settings.ts';
import type { Account, Closing } from './account.ts';

/** Upper bounds in seconds: from what needs no model to the longest answers. */
const DURATIONS = [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];

/** Methods that have a label of their own; a client can send any word. */
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS'];

interface ModelNumber {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly value: (stats: ServiceStats) => number;
}

/** What a model's service tells of itself. */
const MODEL_NUMBERS: readonly ModelNumber[] = [
  {
    name: 'bitmill_prompt_tokens_total',
    help: 'Tokens of prompts that were computed',
    kind: 'counter',
    value: (stats) => stats.promptTokens,
  },
  {
    name: 'bitmill_reused_tokens_total',
    help: 'Tokens of prompts that were held already',
    kind: 'counter',
    value: (stats) => stats.reusedTokens,
  },
  {
    name: 'bitmill_generated_tokens_total',
    help: 'Tokens generated',
    kind: 'counter',
    value: (stats) => stats.generatedTokens,
  },
  {
    name: 'bitmill_runs_total',
    help: 'Runs of the model',
    kind: 'counter',
    value: (stats) => stats.runs,
  },
  {
    name: 'bitmill_run_tokens_total',
    help: 'Tokens in runs of the model; divided by the runs: the mean batch',
    kind: 'counter',
    value: (stats) => stats.runTokens,
  },
  {
    name: 'bitmill_batch_size',
    help: 'Mean tokens of a run since the start',
    kind: 'gauge',
    value: ({ runs, runTokens }) => (runs === 0 ? 0 : runTokens / runs),
  },
  {
    name: 'bitmill_slots',
    help: 'Sequences that can answer at once',
    kind: 'gauge',
    value: (stats) => stats.slots,
  },
  {
    name: 'bitmill_slots_active',
    help: 'Sequences that answer now',
    kind: 'gauge',
    value: (stats) => stats.active,
  },
  {
    name: 'bitmill_requests_waiting',
    help: 'Requests that wait for a sequence',
    kind: 'gauge',
    value: (stats) => stats.waiting,
  },
];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'method' | 'status'>;
  readonly #durations: Histogram<'route'>;

  constructor() {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'bitmill_requests_total',
      help: 'Requests by route, method and status; 499: the asker left before the answer',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'bitmill_request_duration_seconds',
      help: 'Seconds from the headers of a request to the end of its answer',
      labelNames: ['route'],
      buckets: DURATIONS,
      registers,
    });
    const memory = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    };
    memory('process_resident_memory_bytes', 'Memory of the process, models included', () =>
      process.memoryUsage.rss(),
    );
    memory('bitmill_heap_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed);
  }

  /** Adds what the services of models tell. Call it once. */
  watch(models: readonly ServedModel[]): void {
    for (const { name, help, kind, value } of MODEL_NUMBERS) {
      const settings = { name, help, labelNames: ['model'] as const, registers: [this.#registry] };
      if (kind === 'gauge') {
        new Gauge({
          ...settings,
          collect() {
            for (const { id, service } of models) this.set({ model: id }, value(service.stats()));
          },
        });
      } else {
        new Counter({
          ...settings,
          collect() {
            this.reset();
            for (const { id, service } of models) this.inc({ model: id }, value(service.stats()));
          },
        });
      }
    }
  }

  count({ route, method }: Account, { status, seconds }: Closing): void {
    this.#requests.inc({ route, method: METHODS.includes(method) ? method : 'other', status });
    this.#durations.observe({ route }, seconds);
  }

  /** For what never became a request. */
  countRefusal(status: number, route: string): void {
    this.#requests.inc({ route, method: 'other', status });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
