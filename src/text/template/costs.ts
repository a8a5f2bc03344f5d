/**
 * What operations of templates cost, said before they run: those that search, and those that can make much out of
 * little (`replace`, `join`, `indent`, `tojson`, `split`). All others are paid for by what they give.
 */
import { ELEMENT, type Meter } from './meter.ts';
import { listIn, mapIn, numberIn, textIn, type Value } from './values.ts';

/** What an operation is given beside its operand: in order, and by name. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** Spends what the operation costs. @throws it would be too much. */
type Cost = (operand: Value, args: Arguments, meter: Meter) => void;

/** Comparisons that take as long as one unit. */
const COMPARISONS = 16;

/** Units of a match: each is a call. */
const MATCH = 16;

/** Units of a comparison in a sort. */
const SORT_STEP = 64;

/** Characters, or values. */
function sizeOf(value: Value): number {
  return textIn(value)?.length ?? ELEMENT * (listIn(value)?.length ?? mapIn(value)?.size ?? 0);
}

const all = ({ positional, named }: Arguments): Value[] => [...positional, ...named.values()];

const free: Cost = () => {};

/** Looks at the operand once, and at each place of it for the arguments. */
const search: Cost = (operand, args, meter) => {
  const sought = all(args).reduce((sum, one) => sum + sizeOf(one), 0);
  meter.spend(sizeOf(operand) * (1 + sought / COMPARISONS));
};

/** Compares the values of a list, or what is in them, with others. */
const compare: Cost = (operand, args, meter) => {
  search(operand, args, meter);
  meter.spend(meter.weigh(operand) / 4);
};

/** Something is called for each character. */
const perCharacter: Cost = (operand, _, meter) => meter.spend(sizeOf(operand) * MATCH);

const sort: Cost = (operand, args, meter) => {
  const count = sizeOf(operand) / ELEMENT;
  search(operand, args, meter);
  meter.spend((SORT_STEP * count + meter.weigh(operand)) * Math.log2(count + 2));
};

/** How often one text stands in another, without overlaps. Costs a search. */
function occurrences(text: string, sought: string, meter: Meter): number {
  meter.spend(text.length * (1 + sought.length / COMPARISONS));
  if (sought === '') return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) count++;
  return count;
}

const replace: Cost = (operand, { positional: [first, second] }, meter) => {
  const [text, before, after] = [textIn(operand), textIn(first), textIn(second)];
  if (text === undefined || before === undefined || after === undefined) return;
  const count = occurrences(text, before, meter);
  // What is sought is compiled to a regular expression first.
  meter.spend(MATCH * (count + 4 * before.length) + (text.length * before.length) / COMPARISONS);
  meter.make(text.length + count * Math.max(0, after.length - before.length));
};

const split: Cost = (operand, { positional: [separator] }, meter) => {
  const text = textIn(operand) ?? '';
  const sought = textIn(separator);
  const parts = sought === undefined ? text.length / 2 : occurrences(text, sought, meter);
  meter.make(ELEMENT * (parts + 1) + text.length);
};

const join: Cost = (operand, args, meter) => {
  const count = textIn(operand)?.length ?? listIn(operand)?.length ?? 0;
  const separator = textIn(all(args)[0])?.length ?? 0;
  meter.make(2 * meter.weigh(operand) + count * (ELEMENT + separator));
};

const indent: Cost = (operand, args, meter) => {
  const text = textIn(operand) ?? '';
  const width = args.positional[0] ?? args.named.get('width');
  const lines = occurrences(text, '\n', meter) + 1;
  meter.make(text.length + lines * (ELEMENT + Math.max(0, numberIn(width) ?? 4)));
};

const json: Cost = (operand, { named }, meter) => {
  const size = meter.weigh(operand);
  const width = Math.max(0, numberIn(named.get('indent')) ?? 0);
  const separators = (listIn(named.get('separators')) ?? []).map((one) => textIn(one)?.length ?? 0);
  const around = separators.reduce((sum, length) => sum + length, width * (meter.depth(operand) + 1));
  meter.make(2 * size + (size / ELEMENT) * around);
};

const written: Cost = (operand, _, meter) => meter.make(2 * meter.weigh(operand));

/** By name; those that are not here search their operand. */
const FILTERS: ReadonlyMap<string, Cost> = new Map([
  ['abs', free],
  ['default', free],
  ['dictsort', sort],
  ['first', free],
  ['indent', indent],
  ['int', free],
  ['join', join],
  ['last', free],
  ['length', free],
  ['list', free],
  ['rejectattr', compare],
  ['replace', replace],
  ['safe', free],
  ['selectattr', compare],
  ['sort', sort],
  ['string', written],
  ['title', perCharacter],
  ['tojson', json],
  ['unique', compare],
]);

/** Methods of texts and objects; those that are not here search, too. */
const METHODS: ReadonlyMap<string, Cost> = new Map([
  ['dictsort', sort],
  ['endswith', free],
  ['get', free],
  ['replace', replace],
  ['split', split],
  ['startswith', free],
  ['title', perCharacter],
]);

export const filterCost = (name: string): Cost => FILTERS.get(name) ?? search;
export const methodCost = (name: string): Cost => METHODS.get(name) ?? search;

/** A comparison, a search (`in`), or a concatenation. */
export function operatorCost(operator: string, left: Value, right: Value, meter: Meter): void {
  if (operator === '==' || operator === '!=') {
    // A list beside a text is written out to be compared with it.
    const isMixed = (textIn(left) === undefined) !== (textIn(right) === undefined);
    if (isMixed && (listIn(left) ?? listIn(right))) meter.make(2 * (meter.weigh(left) + meter.weigh(right)));
    else meter.spend(Math.min(sizeOf(left), sizeOf(right)));
  } else if (operator === 'in' || operator === 'not in') {
    const sought = textIn(left)?.length ?? 0;
    const inText = textIn(right) !== undefined;
    meter.spend(
      inText ? sizeOf(right) * (1 + sought / COMPARISONS) : sizeOf(right) + meter.weigh(right) / 16,
    );
  } else if (listIn(left) ?? listIn(right)) {
    meter.make(2 * (meter.weigh(left) + meter.weigh(right)));
  }
}

/** A cut: of a text, each character becomes a value first. */
export function sliceCost(operand: Value, meter: Meter): void {
  meter.spend(sizeOf(operand) * (textIn(operand) === undefined ? 1 : ELEMENT));
}

/** Tests look at one value; two of them change a text to see whether it stays the same. */
export function testCost(name: string, operand: Value, meter: Meter): void {
  if (name === 'lower' || name === 'upper') meter.spend(sizeOf(operand));
}
