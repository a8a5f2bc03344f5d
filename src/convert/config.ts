/** Reading config.json with checks: every field is asked for by name, kind and range, so errors name it. */
import { inputError } from '../core/index.ts';

/** Largest count in a config that is believed (layers, heads, widths, vocabulary, context). */
const MAX_COUNT = 2 ** 31 - 1;

export type JsonRecord = Readonly<Record<string, unknown>>;

/** Whether a JSON value is an object (not an array, not null). */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Fields of one JSON object. A field that is null counts as absent. */
export class ConfigReader {
  readonly place: string;
  readonly #fields: JsonRecord;

  /** @param place file and field path, for messages. */
  constructor(fields: JsonRecord, place: string) {
    this.#fields = fields;
    this.place = place;
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** A whole number of at least `min` (default 1). @throws input error: absent, or something else. */
  count(name: string, min = 1): number {
    const value = this.optionalCount(name, min);
    if (value === undefined) throw inputError(this.place, `field "${name}" is missing`);
    return value;
  }

  optionalCount(name: string, min = 1): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > MAX_COUNT) {
      throw inputError(
        this.place,
        `field "${name}" is ${show(value)}, not a whole number from ${min} to ${MAX_COUNT}`,
      );
    }
    return value;
  }

  /** A finite positive number. @throws input error: absent, or something else. */
  positive(name: string): number {
    const value = this.optionalPositive(name);
    if (value === undefined) throw inputError(this.place, `field "${name}" is missing`);
    return value;
  }

  optionalPositive(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw inputError(this.place, `field "${name}" is ${show(value)}, not a positive number`);
    }
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw inputError(this.place, `field "${name}" is ${show(value)}, not true or false`);
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw inputError(this.place, `field "${name}" is ${show(value)}, not a string`);
  }

  /** Numbers, all finite and positive. */
  positives(name: string): readonly number[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (
      !Array.isArray(value) ||
      !value.every((item) => typeof item === 'number' && Number.isFinite(item) && item > 0)
    ) {
      throw inputError(this.place, `field "${name}" is ${show(value)}, not a list of positive numbers`);
    }
    return value;
  }

  /** A nested object. */
  record(name: string): ConfigReader | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isRecord(value)) {
      throw inputError(this.place, `field "${name}" is ${show(value)}, not an object`);
    }
    return new ConfigReader(value, `${this.place}: ${name}`);
  }

  #get(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }
}

/**
 * Rotary position settings, in the spelling of transformers 4 (`rope_theta`, `rope_scaling.type|rope_type`) or
 * 5 (`rope_parameters`).
 */
export interface RopeSettings {
  readonly theta: number;
  /** Lower case; undefined for plain rotation. */
  readonly type: string | undefined;
  /** Where the parameters of the type stand. */
  readonly parameters: ConfigReader;
  readonly originalContext: number | undefined;
}

/** @param defaultTheta base where the config names none. */
export function ropeSettings(config: ConfigReader, defaultTheta = 10000): RopeSettings {
  const parameters = config.record('rope_parameters') ?? config.record('rope_scaling') ?? config;
  const nested = parameters !== config;
  const type = nested ? (parameters.text('rope_type') ?? parameters.text('type'))?.toLowerCase() : undefined;
  return {
    theta:
      (nested ? parameters.optionalPositive('rope_theta') : undefined) ??
      config.optionalPositive('rope_theta') ??
      defaultTheta,
    type: type === 'default' ? undefined : type,
    parameters,
    originalContext:
      (nested ? parameters.optionalCount('original_max_position_embeddings') : undefined) ??
      config.optionalCount('original_max_position_embeddings'),
  };
}
