/**
 * The interpreter of Hugging Face's Jinja, within bounds. It has one public way into every node, `evaluate`; here each
 * passage is counted. What an operation works on is evaluated before it, so that its cost is known and paid for before
 * anything is made; the operation then finds its operands as constants.
 */
import { type Arguments, filterCost, methodCost, operatorCost, sliceCost, testCost } from './costs.ts';
import { ELEMENT, METHODS_OF_TEXT, type Meter, STEP, TURN } from './meter.ts';
import {
  calledAfter,
  constant,
  type FunctionValue,
  Interpreter,
  isFunction,
  listIn,
  mapIn,
  type Node,
  type Scope,
  textIn,
  type Value,
} from './values.ts';

/** Nodes inside nodes, macros that call macros among them: far from the end of the stack of any runtime. */
const MAX_DEPTH = 250;

/** Some filters want to see that an argument is a literal. */
const LITERALS: ReadonlySet<string> = new Set(['StringLiteral', 'IntegerLiteral', 'FloatLiteral']);

/** Operators that do not always look at their second operand. */
const LAZY: ReadonlySet<string> = new Set(['and', 'or']);

/** Evaluates a child: what to put in its place, and its value. */
type Settle = (child: unknown) => { readonly node: Node; readonly value: Value };

/** Evaluates what a node works on, pays for the operation, and gives the node with what was found in it. */
type Prepare = (node: Node, settle: Settle, meter: Meter, size: number) => Node;

const nameOf = (identifier: unknown): string => String((identifier as Node).value);

/** In the order of Python: what is positional first. */
function settleArguments(args: readonly Node[], settle: Settle): { nodes: Node[]; found: Arguments } {
  const nodes = [...args];
  const positional: Value[] = [];
  const named = new Map<string, Value>();
  const inner = (at: number, name: 'argument' | 'value'): Value => {
    const { node, value } = settle(args[at][name]);
    nodes[at] = { ...args[at], [name]: node };
    return value;
  };
  args.forEach(({ type }, at) => {
    if (type === 'SpreadExpression') positional.push(...(listIn(inner(at, 'argument')) ?? []));
    else if (type !== 'KeywordArgumentExpression' && type !== 'KeywordSpreadExpression') {
      const { node, value } = settle(args[at]);
      nodes[at] = node;
      positional.push(value);
    }
  });
  args.forEach(({ type, key }, at) => {
    if (type === 'KeywordArgumentExpression') named.set(nameOf(key), inner(at, 'value'));
    else if (type === 'KeywordSpreadExpression') {
      for (const [name, value] of mapIn(inner(at, 'argument')) ?? []) named.set(name, value);
    }
  });
  return { nodes, found: { positional, named } };
}

/** By type of node; all others only pass what their children give. */
const PREPARE: Readonly<Record<string, Prepare>> = {
  BinaryExpression(node, settle, meter) {
    const operator = nameOf(node.operator);
    if (LAZY.has(operator)) return node;
    const [left, right] = [settle(node.left), settle(node.right)];
    operatorCost(operator, left.value, right.value, meter);
    return { ...node, left: left.node, right: right.node };
  },
  FilterExpression(node, settle, meter) {
    const operand = settle(node.operand);
    const filter = node.filter as Node;
    if (filter.type !== 'CallExpression') {
      filterCost(nameOf(filter))(operand.value, { positional: [], named: new Map() }, meter);
      return { ...node, operand: operand.node };
    }
    const { nodes, found } = settleArguments(filter.args as Node[], settle);
    filterCost(nameOf(filter.callee))(operand.value, found, meter);
    return { ...node, operand: operand.node, filter: { ...filter, args: nodes } };
  },
  FilterStatement(node, settle) {
    const body = settle({ type: 'Program', body: node.body });
    return { type: 'FilterExpression', operand: body.node, filter: node.filter };
  },
  MemberExpression(node, settle, meter) {
    const object = settle(node.object).value;
    const property = node.property as Node;
    const isSlice = property.type === 'SliceExpression';
    if (isSlice) sliceCost(object, meter);
    else if (textIn(object) !== undefined) meter.spend(METHODS_OF_TEXT);
    const found = node.computed && !isSlice ? constant(settle(property).value) : property;
    return { ...node, object: constant(object), property: found };
  },
  TestExpression(node, settle, meter) {
    const operand = settle(node.operand);
    testCost(nameOf(node.test), operand.value, meter);
    return { ...node, operand: operand.node };
  },
  For(node, settle, meter) {
    const over = node.iterable as Node;
    const isSelect = over.type === 'SelectExpression';
    const { node: found, value } = settle(isSelect ? over.lhs : over);
    meter.spend(TURN * (listIn(value)?.length ?? mapIn(value)?.size ?? 0));
    return { ...node, iterable: isSelect ? { ...over, lhs: found } : found };
  },
  // Where one is defined, all of its body is looked through for the names of its arguments.
  Macro: (node, _, meter, size) => {
    meter.spend(STEP * size);
    return node;
  },
  CallStatement: (node, _, meter, size) => {
    meter.spend(STEP * size);
    return node;
  },
};

/** Nodes that make a new text; what others give was paid for where it was made. */
const MAKERS: ReadonlySet<string> = new Set(['BinaryExpression', 'FilterExpression', 'CallExpression']);

export class BoundedInterpreter extends Interpreter {
  readonly #meter: Meter;
  readonly #size: number;
  #depth = 0;

  /** @param size of the template, in tokens. */
  constructor(scope: Scope, meter: Meter, size: number) {
    super(scope);
    this.#meter = meter;
    this.#size = size;
  }

  /** @throws the template costs too much, or does what it cannot. */
  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (!node) return super.evaluate(node, scope);
    if (node.type === 'Constant') return node.value as Value;
    this.#meter.spend(STEP);
    if (this.#depth >= MAX_DEPTH)
      throw new Error(`it nests deeper than ${MAX_DEPTH}: a macro that calls itself?`);
    this.#depth++;
    try {
      return this.#evaluated(node, scope);
    } finally {
      this.#depth--;
    }
  }

  #evaluated(fields: Node, scope: Scope): Value {
    const settle: Settle = (child) => {
      const value = this.evaluate(child as Node, scope);
      const given = child as Node;
      return { node: LITERALS.has(given.type) ? given : constant(value), value };
    };
    const ready = Object.hasOwn(PREPARE, fields.type)
      ? PREPARE[fields.type](fields, settle, this.#meter, this.#size)
      : fields;
    // A filter over a block has become a filter over a constant, which is paid for like any other.
    if (ready.type !== fields.type) return this.evaluate(ready, scope);
    const value = super.evaluate(ready, scope);
    this.#meter.check(value);
    if (MAKERS.has(fields.type))
      this.#meter.spend(textIn(value)?.length ?? ELEMENT * (listIn(value)?.length ?? 0));
    return fields.type === 'MemberExpression' && isFunction(value) ? this.#method(ready, value) : value;
  }

  /** A method is paid for where it is called, wherever that may be. */
  #method({ object, property, computed }: Node, run: FunctionValue): Value {
    const operand = (object as Node).value as Value;
    const name = computed ? textIn((property as Node).value as Value) : nameOf(property);
    const cost = methodCost(name ?? '');
    return calledAfter(run, (args) => cost(operand, { positional: args, named: new Map() }, this.#meter));
  }
}
