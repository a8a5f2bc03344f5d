/**
 * Programs: a graph with its lowered commands. Lowering a whole model for each token would cost as much as some
 * kernels, so tapes are kept and, while sizes and buffers stay, only nodes that read the spans are lowered again.
 */
import {
  type Dims,
  type Graph,
  type MemoryPlan,
  type Node,
  type OpName,
  planMemory,
  type Rows,
} from '../../graph/index.ts';
import type { Program, Step } from '../backend.ts';
import { bound, checkBindings } from '../binding.ts';
import { Block, blockOf } from './buffer.ts';
import { type Bindings, NodeContext, type Target } from './context.ts';
import { encode } from './encode.ts';
import type { Command, Lower, Lowerings } from './lower.ts';
import { workOf } from './work.ts';

/** Tapes kept a program: a prompt's, a token's, and some more. */
const KEPT = 8;

/** A node whose commands change with the spans, and where they stand on the tape. */
interface Moving {
  readonly node: Node;
  readonly at: number;
  readonly length: number;
}

/** A program on tape for one set of sizes and buffers. */
export interface Lowered {
  readonly blocks: readonly Block[];
  readonly bindings: Bindings;
  readonly workspace: number;
  /** Address of the table of spans. */
  readonly spans: number;
  readonly plan: MemoryPlan;
  readonly tape: Float64Array;
  readonly commands: number;
  /** Of the run, as far as `workOf` estimates it. */
  readonly work: number;
  readonly moving: readonly Moving[];
  readonly dims: Dims;
  /** Workspace bytes: values and temporaries. */
  readonly bytes: number;
  /** Scratch bytes a thread. */
  readonly scratch: number;
}

export class TapeProgram implements Program {
  readonly graph: Graph;
  /** Names to bind, in the order of `Lowered.blocks`. */
  readonly #names: readonly string[];
  readonly #lowerings: Lowerings;
  readonly #uniform: boolean;
  /** Symbolic row counts of the graph's values. */
  readonly #uses: ReadonlySet<Rows>;
  readonly #tapes = new Map<string, Lowered>();

  /** @param uniform whether a lone token gets the same bits as one of many. */
  constructor(graph: Graph, lowerings: Lowerings, uniform: boolean) {
    this.graph = graph;
    this.#lowerings = lowerings;
    this.#uniform = uniform;
    const named = [...graph.weights, ...graph.states].map(({ name }) => name);
    const values = [...graph.inputs.values(), ...graph.nodes.flatMap(({ output }) => output ?? [])];
    this.#uses = new Set(values.map(({ rows }) => rows));
    this.#names = [...graph.inputs.keys(), ...graph.outputs.keys(), ...named];
  }

  /** The step's commands on tape, made from the last tape of these sizes where that will do. */
  lower(step: Step, target: Target): Lowered {
    const key = this.#key(step.dims);
    const kept = this.#tapes.get(key);
    const blocks = this.#blocks(step);
    const lowered =
      this.#reuse(kept, blocks, step.dims, target) ?? this.#lowerAll(blocks, step, target, kept?.plan);
    if (lowered !== kept) this.#keep(key, lowered);
    return lowered;
  }

  #commandsOf(node: Node, context: NodeContext): readonly Command[] {
    return (this.#lowerings[node.op] as Lower<OpName>)(node, context);
  }

  /** The sizes that the graph's values have. */
  #key({ T, S }: Dims): string {
    return `${this.#uses.has('T') ? T : ''} ${this.#uses.has('S') ? S : ''}`;
  }

  #reuse(
    kept: Lowered | undefined,
    blocks: readonly Block[],
    dims: Dims,
    target: Target,
  ): Lowered | undefined {
    if (kept?.workspace !== target.workspace || kept.spans !== target.spans) return undefined;
    if (!blocks.every((block, i) => block === kept.blocks[i])) return undefined;
    return sameSpans(kept.dims, dims) ? kept : this.#advance(kept, dims, target);
  }

  #keep(key: string, lowered: Lowered): void {
    this.#tapes.delete(key);
    this.#tapes.set(key, lowered);
    const [oldest] = this.#tapes.keys();
    if (this.#tapes.size > KEPT) this.#tapes.delete(oldest);
  }

  #blocks(step: Step): Block[] {
    return this.#names.map((name) => {
      const buffer: unknown = step.bind.get(name);
      // No label is made where none is needed: a token binds hundreds of names.
      if (buffer instanceof Block && buffer.live) return buffer;
      return blockOf(bound(step, name), `${this.graph.name}: ${name}`);
    });
  }

  #bindings(blocks: readonly Block[]): Bindings {
    const byName = new Map(this.#names.map((name, i) => [name, blocks[i]]));
    const values = [...this.graph.inputs, ...this.graph.outputs];
    return {
      graph: this.graph.name,
      named: byName,
      values: new Map(values.map(([, value], i) => [value.id, blocks[i]])),
    };
  }

  #lowerAll(blocks: readonly Block[], step: Step, target: Target, kept?: MemoryPlan): Lowered {
    checkBindings(step);
    const { dims } = step;
    const plan = kept ?? planMemory(this.graph, dims);
    const bindings = this.#bindings(blocks);
    const numbers: number[] = [];
    const moving: Moving[] = [];
    const needs = { bytes: plan.size, scratch: 0 };
    let commands = 0;
    for (const node of this.graph.nodes) {
      const context = new NodeContext(bindings, dims, target, plan, this.#uniform);
      const own = this.#commandsOf(node, context);
      const encoded = encode(own, target.numbers);
      if (context.readPast) moving.push({ node, at: numbers.length, length: encoded.length });
      numbers.push(...encoded);
      commands += own.length;
      raise(needs, own, context);
    }
    const tape = Float64Array.from(numbers);
    const { workspace, spans } = target;
    const work = workOf(this.graph, dims);
    return { blocks, bindings, workspace, spans, plan, tape, commands, work, moving, dims, ...needs };
  }

  /** A copy with the moving nodes lowered again (a run may hold both); undefined if their lengths have changed. */
  #advance(kept: Lowered, dims: Dims, target: Target): Lowered | undefined {
    const tape = kept.tape.slice();
    const needs = { bytes: kept.bytes, scratch: kept.scratch };
    for (const { node, at, length } of kept.moving) {
      const context = new NodeContext(kept.bindings, dims, target, kept.plan, this.#uniform);
      const own = this.#commandsOf(node, context);
      const encoded = encode(own, target.numbers);
      if (encoded.length !== length) return undefined;
      tape.set(encoded, at);
      raise(needs, own, context);
    }
    return { ...kept, tape, dims, ...needs };
  }
}

/** Whether what moves is where it was; spans in another array are taken for others. */
function sameSpans(a: Dims, b: Dims): boolean {
  return a.spans === b.spans && a.past === b.past;
}

function raise(
  needs: { bytes: number; scratch: number },
  commands: readonly Command[],
  context: NodeContext,
) {
  needs.bytes = Math.max(needs.bytes, context.end);
  for (const { scratch = 0 } of commands) needs.scratch = Math.max(needs.scratch, scratch);
}
