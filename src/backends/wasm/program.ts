/**
 * Programs: a graph with its lowered commands. Lowering a whole model for each token would cost as much as some
 * kernels, so tapes are kept and, while sizes and buffers stay, only nodes that read `past` are lowered again.
 */
import {
  type Dims,
  type Graph,
  type MemoryPlan,
  type Node,
  type OpName,
  planMemory,
} from '../../graph/index.ts';
import type { Program, Step } from '../backend.ts';
import { bound, checkBindings } from '../binding.ts';
import { Block, blockOf } from './buffer.ts';
import { type Bindings, NodeContext, type Target } from './context.ts';
import type { Command, Lower } from './lower.ts';
import { LOWER } from './ops/index.ts';
import { encode } from './walk.ts';

/** Tapes kept a program: a prompt's, a token's, and some more. */
const KEPT = 8;

/** A node whose commands change with `past`, and where they stand on the tape. */
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
  readonly plan: MemoryPlan;
  readonly tape: Float64Array;
  readonly commands: number;
  readonly moving: readonly Moving[];
  past: number;
  /** Workspace bytes: values and temporaries. */
  bytes: number;
  /** Scratch bytes a thread. */
  scratch: number;
}

/** Commands of a node. */
function commandsOf(node: Node, context: NodeContext): readonly Command[] {
  return (LOWER[node.op] as Lower<OpName>)(node, context);
}

export class WasmProgram implements Program {
  readonly graph: Graph;
  /** Names to bind, in the order of `Lowered.blocks`. */
  readonly #names: readonly string[];
  readonly #tapes = new Map<string, Lowered>();

  constructor(graph: Graph) {
    this.graph = graph;
    const named = [...graph.weights, ...graph.states].map(({ name }) => name);
    this.#names = [...graph.inputs.keys(), ...graph.outputs.keys(), ...named];
  }

  /** The step's commands on tape; the last one made for these sizes, brought up to date where that will do. */
  lower(step: Step, target: Target): Lowered {
    const { dims } = step;
    const blocks = this.#blocks(step);
    const key = `${dims.T} ${dims.S}`;
    const kept = this.#tapes.get(key);
    if (kept && kept.workspace === target.workspace && blocks.every((block, i) => block === kept.blocks[i])) {
      if (kept.past === dims.past || this.#advance(kept, dims, target)) return kept;
    }
    checkBindings(step);
    const lowered = this.#lowerAll(blocks, dims, target, kept?.plan ?? planMemory(this.graph, dims));
    this.#tapes.delete(key);
    this.#tapes.set(key, lowered);
    if (this.#tapes.size > KEPT) this.#tapes.delete(this.#tapes.keys().next().value ?? key);
    return lowered;
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

  #lowerAll(blocks: readonly Block[], dims: Dims, target: Target, plan: MemoryPlan): Lowered {
    const bindings = this.#bindings(blocks);
    const numbers: number[] = [];
    const moving: Moving[] = [];
    const needs = { bytes: plan.size, scratch: 0 };
    let commands = 0;
    for (const node of this.graph.nodes) {
      const context = new NodeContext(bindings, dims, target, plan);
      const own = commandsOf(node, context);
      const encoded = encode(own, target.numbers);
      if (context.readPast) moving.push({ node, at: numbers.length, length: encoded.length });
      numbers.push(...encoded);
      commands += own.length;
      raise(needs, own, context);
    }
    const tape = Float64Array.from(numbers);
    const { workspace } = target;
    return { blocks, bindings, workspace, plan, tape, commands, moving, past: dims.past, ...needs };
  }

  /** Lowers the moving nodes again. @returns false if their commands have another length now. */
  #advance(kept: Lowered, dims: Dims, target: Target): boolean {
    for (const { node, at, length } of kept.moving) {
      const context = new NodeContext(kept.bindings, dims, target, kept.plan);
      const own = commandsOf(node, context);
      const encoded = encode(own, target.numbers);
      if (encoded.length !== length) return false;
      kept.tape.set(encoded, at);
      raise(kept, own, context);
    }
    kept.past = dims.past;
    return true;
  }
}

function raise(
  needs: { bytes: number; scratch: number },
  commands: readonly Command[],
  context: NodeContext,
) {
  needs.bytes = Math.max(needs.bytes, context.end);
  for (const { scratch = 0 } of commands) needs.scratch = Math.max(needs.scratch, scratch);
}
