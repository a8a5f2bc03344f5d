/**
 * What a template may cost. Work and memory are counted in units, about a character each, so that the same template
 * meets the same limit on every machine; no clock is asked.
 */
import { isFunction, listIn, mapIn, textIn, type Value } from './values.ts';

/** Longest text, and largest list with all that is in it: more than the longest contexts hold. */
export const MAX_SIZE = 1 << 24;

/** Units of one rendering: a second of work, on a slow machine a few. */
const BUDGET = 1 << 26;

/** Long chats take longer: units more for each unit of what is handed in, up to so many. */
const BUDGET_FOR_INPUT = 32;
const MOST_BUDGET = 1 << 28;

/** Largest input. */
const MAX_INPUT = 1 << 26;

/** Lists inside lists. */
const MAX_DEPTH = 128;

/**
 * Units by measured time: a step of the interpreter (1 us), a value in a list, a turn of a loop, which makes a scope
 * (6 us), and a look at a text's methods, which are all made for it (8 us).
 */
export const STEP = 64;
export const ELEMENT = 64;
export const TURN = 512;
export const METHODS_OF_TEXT = 512;

/** A list or an object: what it weighs, written out, and how deep it nests. */
interface Weight {
  readonly size: number;
  readonly depth: number;
}

const LEAF: Weight = { size: ELEMENT, depth: 0 };

export class Meter {
  #left = MAX_INPUT;
  #input = 0;
  readonly #weights = new WeakMap<Value, Weight>();

  /** Units of what is handed in. */
  readonly takeIn = (units: number): void => {
    this.#input += units;
    if (this.#input > MAX_INPUT) throw new Error(`the messages are larger than ${MAX_INPUT} characters`);
    this.#left = Math.min(BUDGET + this.#input * BUDGET_FOR_INPUT, MOST_BUDGET);
  };

  /** @throws where nothing is left. */
  spend(units: number): void {
    this.#left -= units;
    if (!(this.#left >= 0)) throw new Error('it takes more steps than a chat needs: a loop without end?');
  }

  /** @throws a text or list of this size is too large. */
  allow(size: number): void {
    if (!(size <= MAX_SIZE)) throw new Error(`it makes more than ${MAX_SIZE} characters`);
  }

  /** Allows and pays for a text that is about to be made. */
  make(length: number): void {
    this.allow(length);
    this.spend(length);
  }

  /** Size of a value written out: characters, and some for each value in it. */
  weigh(value: Value): number {
    return this.#weight(value).size;
  }

  /** Lists inside lists: 0 for a text or a number. */
  depth(value: Value): number {
    return this.#weight(value).depth;
  }

  /** Looks at what a step gave. */
  check(value: Value): void {
    if (isFunction(value)) hideSource(value.value);
    else this.allow(this.weigh(value));
  }

  #weight(value: Value): Weight {
    const text = textIn(value);
    if (text !== undefined) return { size: text.length + ELEMENT, depth: 0 };
    const items = listIn(value) ?? mapIn(value);
    if (!items) return LEAF;
    const known = this.#weights.get(value);
    if (known) return known;
    const weight = this.#sum(items);
    // A namespace is the one value that changes; it is weighed anew each time, and stands in no other.
    if (value.type !== 'NamespaceValue') this.#weights.set(value, weight);
    if (!Object.hasOwn(value, 'toString')) this.#payForText(value);
    return weight;
  }

  #sum(items: readonly Value[] | ReadonlyMap<string, Value>): Weight {
    this.spend(items instanceof Map ? items.size : (items as readonly Value[]).length);
    let size = ELEMENT;
    let depth = 0;
    const add = (item: Value): void => {
      if (item.type === 'NamespaceValue') throw new Error('a namespace cannot stand inside another value');
      const inner = this.#weight(item);
      size += inner.size;
      depth = Math.max(depth, inner.depth + 1);
    };
    if (items instanceof Map) {
      for (const [name, item] of items) {
        size += name.length;
        add(item);
      }
    } else {
      for (const item of items as readonly Value[]) add(item);
    }
    if (depth > MAX_DEPTH) throw new Error(`its lists nest deeper than ${MAX_DEPTH}`);
    return { size, depth };
  }

  /** A list can be small in memory and huge as text, where it holds another many times. */
  #payForText(value: Value): void {
    const write = value.toString;
    value.toString = () => {
      this.make(2 * this.weigh(value));
      return write.call(value);
    };
  }
}

/** Written out, a function of the host would be its source. */
function hideSource(run: object): void {
  if (!Object.hasOwn(run, 'toString')) Object.defineProperty(run, 'toString', { value: () => '<function>' });
}
