/** Samplers against llama.cpp's own, on random logits and histories. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ggmlOracle } from '../../../test/oracle.ts';
import { Candidates } from './candidates.ts';
import { dryPenalties } from './dry.ts';
import { FILTERS } from './filters.ts';
import { GREEDY, type SamplingOptions } from './index.ts';
import { Mirostat } from './mirostat.ts';

type Call = (...args: unknown[]) => unknown;

/** What is used of koffi and of the oracle's loader. */
interface Native {
  readonly koffi: {
    struct(fields: Record<string, unknown>): unknown;
    pointer(type: unknown): unknown;
    inout(type: unknown): unknown;
    array(type: unknown, length: number): unknown;
    decode(pointer: unknown, type: unknown): readonly { readonly id: number; readonly logit: number }[];
  };
  library(name: RegExp): { func(name: string, result: string, parameters: unknown[]): Call };
}

const oracle = await ggmlOracle();
const reason = typeof oracle === 'string' ? oracle : undefined;

/** Makes samplers of llama.cpp and applies them. */
function samplers({ koffi, library }: Native) {
  const llama = library(/^libllama\.v[\w.]+\.so$/);
  const token = koffi.struct({ id: 'int32_t', logit: 'float', p: 'float' });
  const list = koffi.struct({ data: 'void *', size: 'size_t', selected: 'int64_t', sorted: 'bool' });
  const apply = llama.func('llama_sampler_apply', 'void', ['void *', koffi.inout(koffi.pointer(list))]);
  const accept = llama.func('llama_sampler_accept', 'void', ['void *', 'int32_t']);
  const init = (name: string, types: string[]) => llama.func(`llama_sampler_init_${name}`, 'void *', types);
  return {
    accept,
    typical: init('typical', ['float', 'size_t']),
    topNSigma: init('top_n_sigma', ['float']),
    xtc: init('xtc', ['float', 'float', 'size_t', 'uint32_t']),
    mirostat: init('mirostat_v2', ['uint32_t', 'float', 'float']),
    dry: init('dry', ['void *', 'float', 'float', 'int32_t', 'int32_t', 'void *', 'size_t']),
    free: llama.func('llama_sampler_free', 'void', ['void *']),
    /** Logits by id of what a sampler leaves, and the id that it selects. */
    run(sampler: unknown, logits: Float32Array) {
      const bytes = new Uint8Array(12 * logits.length);
      const view = new DataView(bytes.buffer);
      logits.forEach((logit, id) => {
        view.setInt32(12 * id, id, true);
        view.setFloat32(12 * id + 4, logit, true);
      });
      const given = { data: bytes as unknown, size: logits.length, selected: -1, sorted: false };
      apply(sampler, given);
      const left = koffi.decode(given.data, koffi.array(token, Number(given.size)));
      const finite = left.filter(({ logit }) => logit > Number.NEGATIVE_INFINITY);
      const chosen = Number(given.selected);
      return { left: new Map(finite.map(({ id, logit }) => [id, logit])), selected: left[chosen]?.id };
    },
  };
}

/** Ids that our filters leave, in order. */
function filtered(logits: Float32Array, options: Partial<SamplingOptions>): number[] {
  const candidates = new Candidates(logits);
  for (const filter of FILTERS) filter(candidates, { ...GREEDY, ...options }, () => 0);
  return [...candidates.ids()].sort((a, b) => a - b);
}

const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);

/** Logits without ties: those are broken in different ways. */
const logitsOf = fc
  .uniqueArray(fc.integer({ min: -400, max: 400 }), { minLength: 3, maxLength: 60 })
  .map((values) => Float32Array.from(values, (value) => value / 57));

describe.skipIf(reason)(`llama.cpp's samplers${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const native = () => samplers((oracle as unknown as { native(): Native }).native());

  it('DRY takes as much from the same tokens', () => {
    const llama = native();
    const history = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 70 }),
        (tokens, allowed, range) => {
          const sampler = llama.dry(null, 0.8, 1.75, allowed, range, null, 0);
          for (const token of tokens) llama.accept(sampler, token);
          const { left } = llama.run(sampler, new Float32Array(6));
          llama.free(sampler);
          const ours = dryPenalties(tokens, new Set(), {
            dryMultiplier: 0.8,
            dryBase: 1.75,
            dryAllowedLength: allowed,
            dryRange: range,
          });
          for (let id = 0; id < 6; id++) {
            const theirs = -(left.get(id) ?? 0);
            expect(Math.abs((ours.get(id) ?? 0) - theirs)).toBeLessThanOrEqual(1e-5 * (1 + theirs));
          }
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  it('typical sampling, top-n-sigma and XTC leave the same tokens', () => {
    const llama = native();
    fc.assert(
      fc.property(logitsOf, fc.integer({ min: 5, max: 95 }), (logits, percent) => {
        const share = percent / 100 + 0.003;
        const rows = [
          [llama.typical(share, 1), { typicalP: share }],
          [llama.topNSigma(3 * share), { topNSigma: 3 * share }],
          [llama.xtc(1, share / 3, 1, 1), { xtcProbability: 1, xtcThreshold: share / 3 }],
        ] as const;
        for (const [sampler, options] of rows) {
          const { left } = llama.run(sampler, logits);
          llama.free(sampler);
          expect({ options, ids: filtered(logits, options) }).toEqual({ options, ids: sorted(left.keys()) });
        }
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it('Mirostat leaves the same tokens, step after step', () => {
    const llama = native();
    fc.assert(
      fc.property(
        fc.array(logitsOf, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (steps, tenths) => {
          const tau = tenths / 10 + 0.013;
          const sampler = llama.mirostat(7, tau, 0.1);
          const mirostat = new Mirostat(tau, 0.1);
          for (const logits of steps) {
            const { left, selected } = llama.run(sampler, logits);
            const all = new Candidates(logits);
            const least = all.total() * 2 ** -mirostat.bound;
            all.keepWhile((weight) => weight >= least);
            expect(sorted(all.ids())).toEqual(sorted(left.keys()));
            // Ours is made to draw what theirs drew: in the middle of that token's share.
            let before = 0;
            for (const id of all.ids()) {
              if (id === selected) break;
              before += all.weight(id);
            }
            const share = (before + all.weight(selected ?? 0) / 2) / all.total();
            expect(mirostat.draw(new Candidates(logits), share)).toBe(selected);
          }
          llama.free(sampler);
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });
});
