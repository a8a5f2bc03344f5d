/** Headers with one or two values changed at random: a model comes out whole, or an input error says why not. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { BitmillError } from '../core/index.ts';
import { bool, f32, f32s, type GgufFile, type GgufValue, str, u32, u32s, u64 } from '../gguf/index.ts';
import { readModel } from './index.ts';

const NUMBERS = [0, 1, 2, 3, 7, 8, 16, 31, 32, 33, 272, 512, 2 ** 31, 2 ** 32 - 1];
const FLOATS = [0, -1, 1e-30, 0.5, 1, 1.5, 1e30, Number.NaN, Number.POSITIVE_INFINITY];
const VALUES: readonly GgufValue[] = [
  ...NUMBERS.map(u32),
  ...FLOATS.map(f32),
  ...['', 'yarn', 'linear', 'longrope', 'none', 'x\u0000'].map(str),
  u64(2n ** 63n),
  bool(true),
  u32s([4, 4]),
  f32s([]),
];

/** Keys that a file may have beside its own. */
const MORE_KEYS = [
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.attn_factor',
  'rope.scaling.yarn_beta_fast',
  'rope.scaling.yarn_beta_slow',
  'rope.scaling.yarn_ext_factor',
  'rope.scaling.yarn_attn_factor',
  'rope.scale_linear',
  'attention.key_length',
  'attention.value_length',
  'expert_count',
];

const files: GgufFile[] = [];
beforeAll(async () => {
  files.push(await openTinyModel('phi3-longrope-gqa'), await openTinyModel('llama-yarn'));
});

/** The keys of the architecture in a file, and those that it might have. */
function keysOf({ metadata }: GgufFile): string[] {
  const architecture = String(metadata.get('general.architecture')?.value);
  const own = [...metadata.keys()].filter((key) => key.startsWith(`${architecture}.`));
  return [...own, ...MORE_KEYS.map((key) => `${architecture}.${key}`)];
}

/** Reads, builds the graphs, computes angles. */
async function use(file: GgufFile): Promise<void> {
  const model = await readModel(file);
  const { layers, rope } = model.graphs({ cacheType: 'f16', attention: 'flash', contextSize: 300 });
  const { cos, sin } = rope.angles(0, 3);
  expect(layers).toHaveLength(model.hyper.layers);
  expect(cos).toHaveLength((3 * rope.rotated) / 2);
  expect([...cos, ...sin].every(Number.isFinite)).toBe(true);
}

const CHANGES = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...VALUES)), { minLength: 1, maxLength: 2 });

test('changed hyper-parameters: a whole model with finite angles, or an input error that names the file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1), CHANGES, async (which, changes) => {
      const file = files[which];
      const keys = keysOf(file);
      const entries = changes.map(([at, value]): [string, GgufValue] => [keys[at % keys.length], value]);
      try {
        await use({ ...file, metadata: new Map([...file.metadata, ...entries]) });
      } catch (error) {
        if (!(error instanceof BitmillError)) throw error;
        expect(error).toMatchObject({ kind: 'input' });
        expect(error.message).toContain(file.name);
      }
    }),
    { numRuns: 1000 },
  );
});

test('every tensor left out or of another shape: an input error that names it, unless it may be absent', async () => {
  const mayBeAbsent = /^(output\.weight|rope_factors_(long|short)\.weight)$/;
  for (const file of files) {
    for (const { name, shape } of file.tensors) {
      const without = (found: string) => (found === name ? undefined : file.find(found));
      if (!mayBeAbsent.test(name)) await expect(use({ ...file, find: without })).rejects.toThrow(name);
      const longer = [...shape.slice(0, -1), shape[shape.length - 1] + 1];
      const changed = (found: string) => {
        const tensor = file.find(found);
        return tensor && found === name ? { ...tensor, shape: longer, weights: tensor.weights + 1 } : tensor;
      };
      await expect(use({ ...file, find: changed })).rejects.toThrow(name);
    }
  }
});
