/** `--max-kld`: mean divergences that quants must not pass. */
import { usageError } from '../../core/index.ts';
import type { QuantEntry } from '../../report/index.ts';

export interface KldLimits {
  /** Whether there is any. */
  readonly some: boolean;
  /** Nats; undefined: no limit. */
  of(type: string): number | undefined;
}

function parseNats(text: string, number: string): number {
  const value = /^\d*\.?\d+(e[+-]?\d+)?$/i.test(number) ? Number(number) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw usageError(`--max-kld ${text}: is no number`, 'for example 0.1 for all, or Q4_K_M=0.05');
}

/**
 * `0.1` for all types, `Q4_K_M=0.05` for one; the one's own wins. @param types that are made.
 * @throws usage error: no number, a type that is not made.
 */
export function parseLimits(texts: readonly string[], types: readonly string[]): KldLimits {
  let all: number | undefined;
  const own = new Map<string, number>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    if (at < 0) {
      all = parseNats(text, text);
      continue;
    }
    const name = text.slice(0, at);
    const type = types.find((one) => one === name) ?? types.find((one) => one === name.toUpperCase());
    if (type === undefined) {
      throw usageError(`--max-kld ${text}: ${name} is not made here`, `types: ${types.join(', ')}`);
    }
    own.set(type, parseNats(text, text.slice(at + 1)));
  }
  return { some: texts.length > 0, of: (type) => own.get(type) ?? all };
}

/** One sentence for each quant that lost more than it may. */
export function passedLimits(quants: readonly QuantEntry[], limits: KldLimits): string[] {
  return quants.flatMap(({ type, files, figures }) => {
    const [limit, measured] = [limits.of(type), figures?.['kld_mean']];
    if (limit === undefined || (typeof measured === 'number' && measured <= limit)) return [];
    const found = typeof measured === 'number' ? measured.toPrecision(4) : 'not known';
    return [`${files[0].name}: mean KL divergence ${found}, allowed ${limit}`];
  });
}
