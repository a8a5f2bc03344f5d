/**
 * What decoder-only architectures share: embedding, a row of layers, final norm, output matrix. An architecture says
 * which tensors a layer has and how they are used. Letters: E embedding width, V vocabulary.
 */
import { usageError } from '../core/index.ts';
import { type Graph, GraphBuilder, type RopeStyle, type TensorLike, type Value } from '../graph/index.ts';
import type { Architecture, GraphOptions, ModelGraphs } from './language-model.ts';
import { Layer } from './layer.ts';
import { readRope } from './rope-settings.ts';
import { readSizes, type Sizes } from './sizes.ts';
import { ModelReader } from './tensors.ts';

export interface DecoderDefinition<Tensors> {
  readonly name: string;
  readonly rope: RopeStyle;
  /** Tensors of a layer; `prefix` is `blk.3`. */
  readonly read: (reader: ModelReader, sizes: Sizes, prefix: string) => Tensors;
  /** What a layer makes of `layer.hidden`. */
  readonly layer: (layer: Layer, tensors: Tensors) => Value;
}

/** Tensors around the layers. */
interface Outer {
  readonly embedding: TensorLike;
  readonly norm: TensorLike;
  /** Tied models multiply with the embedding. */
  readonly output: TensorLike;
}

function readOuter(reader: ModelReader, { width, vocabulary }: Sizes): Outer {
  const embedding = reader.tensor('token_embd.weight', [width, vocabulary]);
  return {
    embedding,
    norm: reader.vector('output_norm.weight', width),
    output: reader.optional('output.weight', [width, vocabulary]) ?? embedding,
  };
}

function embedGraph({ embedding }: Outer): Graph {
  const g = new GraphBuilder('embed');
  g.output('next', g.embed(g.input('tokens', 'T', 1, 'i32'), embedding));
  return g.build();
}

function finalGraph({ norm }: Outer, { width, epsilon }: Sizes): Graph {
  const g = new GraphBuilder('final');
  const hidden = g.input('hidden', 'T', width);
  const selected = g.rows(hidden, g.input('select', 'S', 1, 'i32'));
  g.output('final', g.rmsNorm(selected, norm, epsilon));
  return g.build();
}

function outputGraph({ output }: Outer, { width }: Sizes): Graph {
  const g = new GraphBuilder('output');
  g.output('logits', g.matmul(g.input('final', 'S', width), output));
  return g.build();
}

function checkOptions({ kvHeads, headSize }: Sizes, { cacheType }: GraphOptions): void {
  const cols = kvHeads * headSize;
  if (cacheType === 'q8_0' && cols % 32 !== 0) {
    throw usageError(
      `a q8_0 cache wants rows of a multiple of 32 columns; this model's are ${cols} wide`,
      'use f16',
    );
  }
}

export function decoder<Tensors>(definition: DecoderDefinition<Tensors>): Architecture {
  return {
    name: definition.name,
    read: async (file) => {
      const reader = new ModelReader(file, definition.name);
      const sizes = readSizes(reader);
      const outer = readOuter(reader, sizes);
      const names = Array.from({ length: sizes.layers }, (_, i) => `blk.${i}`);
      const layers = names.map((name) => ({ name, tensors: definition.read(reader, sizes, name) }));
      const rope = await readRope(reader, sizes);
      return {
        hyper: sizes,
        graphs: (options): ModelGraphs => {
          checkOptions(sizes, options);
          return {
            embed: embedGraph(outer),
            layers: layers.map(({ name, tensors }) => {
              const layer = new Layer(name, sizes, definition.rope, options);
              return layer.finish(definition.layer(layer, tensors));
            }),
            final: finalGraph(outer, sizes),
            output: outputGraph(outer, sizes),
            rope: rope(options.contextSize),
          };
        },
      };
    },
  };
}
