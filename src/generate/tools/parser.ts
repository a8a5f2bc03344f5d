/**
 * Calls out of an answer that comes in pieces. What turns out to be no call is text, whole: nothing that the model wrote
 * is lost. A call is told when it is whole, because only then it is known to be one.
 */
import { JsonScan } from './json-scan.ts';
import type { CallFrame, ToolCall, ToolDelta } from './types.ts';

/** What the parser reads now. `open`: behind an opening marker; `value`: in the JSON;
 * `after`: behind it; `between`: in white space behind a call. */
type State = 'start' | 'text' | 'open' | 'value' | 'after' | 'between';

/** How an object begins that may be a call, without white space. */
const CALL_BEGINS = ['{"name"', '{"type"', '{"function"', '{"parameters"', '{"arguments"'];

function mayBeCall(text: string): boolean {
  const head = text.replace(/^\{\s+/, '{');
  return CALL_BEGINS.some((begin) => begin.startsWith(head) || head.startsWith(begin));
}

const SPACE = /\s/;

/** Length of the longest end of `text` that is a beginning of a marker. */
function overlap(text: string, markers: readonly string[]): number {
  let longest = 0;
  for (const marker of markers) {
    for (let length = Math.min(text.length, marker.length - 1); length > longest; length--) {
      if (marker.startsWith(text.slice(-length))) longest = length;
    }
  }
  return longest;
}

type Parsed = Pick<ToolCall, 'name' | 'arguments'>;

/** A call out of a value; undefined: it is none. */
function callOf(value: unknown): Parsed | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const outer = value as Readonly<Record<string, unknown>>;
  const inner = typeof outer.function === 'object' && outer.function !== null ? outer.function : outer;
  const { name, arguments: given, parameters } = inner as Readonly<Record<string, unknown>>;
  let found: unknown = given ?? parameters ?? {};
  if (typeof found === 'string') {
    try {
      found = JSON.parse(found) as unknown;
    } catch {
      return undefined;
    }
  }
  const isCall =
    typeof name === 'string' && name !== '' && typeof found === 'object' && !Array.isArray(found);
  return isCall ? { name, arguments: JSON.stringify(found ?? {}) } : undefined;
}

/** All calls of a JSON text; undefined: it is something else. */
function callsIn(text: string): readonly Parsed[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const calls = (Array.isArray(value) ? value : [value]).map(callOf);
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
}

export class ToolParser {
  readonly #frame: CallFrame;
  readonly #newId: () => string;
  /** Without a closing marker, an object at the beginning of an answer may be a call without an opening one, too. */
  readonly #isBare: boolean;
  #state: State = 'start';
  /** Not told yet: in `text`, an end that may begin a marker; else all since before the marker. */
  #held = '';
  /** Of `#held`: where the JSON begins, and how far it was read. */
  #from = 0;
  #read = 0;
  #scan = new JsonScan();
  #text = '';
  #calls: ToolCall[] = [];
  #count = 0;

  constructor(frame: CallFrame, newId: () => string) {
    this.#frame = frame;
    this.#newId = newId;
    this.#isBare = frame.close === undefined && !frame.isList;
  }

  /** Calls so far. */
  get count(): number {
    return this.#count;
  }

  push(text: string): ToolDelta {
    this.#held += text;
    while (this.#step());
    return this.#told();
  }

  /** The answer is over: what is held back is text. */
  flush(): ToolDelta {
    const { close = '' } = this.#frame;
    const isRest = this.#state === 'after' && close.startsWith(this.#held.trim());
    if (!isRest) this.#text += this.#state === 'after' ? this.#held.trimStart() : this.#held;
    this.#held = '';
    this.#state = 'start';
    return this.#told();
  }

  #told(): ToolDelta {
    const delta = { text: this.#text, calls: this.#calls };
    this.#text = '';
    this.#calls = [];
    return delta;
  }

  /** @returns whether there may be more to do. */
  #step(): boolean {
    switch (this.#state) {
      case 'start':
        return this.#start();
      case 'text':
        return this.#textStep();
      case 'open':
        return this.#open();
      case 'value':
        return this.#value();
      case 'after':
        return this.#after();
      default:
        return this.#between();
    }
  }

  #start(): boolean {
    const said = this.#held.trimStart();
    if (said === '') return false;
    if (!this.#isBare || !said.startsWith('{')) {
      this.#state = 'text';
      return true;
    }
    this.#beginValue(this.#held.length - said.length);
    return true;
  }

  #beginValue(from: number): void {
    this.#state = 'value';
    this.#from = from;
    this.#read = from;
    this.#scan = new JsonScan();
  }

  #textStep(): boolean {
    const { opens } = this.#frame;
    const found = opens
      .map((marker) => ({ at: this.#held.indexOf(marker), length: marker.length }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (found) {
      this.#release(this.#held.slice(0, found.at).trimEnd().length);
      this.#state = 'open';
      this.#from = this.#held.length - this.#held.trimStart().length + found.length;
      return true;
    }
    const kept = overlap(this.#held, opens);
    const sure = this.#held.slice(0, this.#held.length - kept);
    // White space in front of a call is no text: it is told when something else follows.
    this.#release(sure.trimEnd().length);
    return false;
  }

  #open(): boolean {
    const at = this.#skipSpace(this.#from);
    if (at >= this.#held.length) return false;
    if (this.#held[at] !== '{' && this.#held[at] !== '[') return this.#giveUp(this.#from);
    this.#beginValue(at);
    return true;
  }

  #value(): boolean {
    const isBare = this.#isBare && this.#from === this.#held.length - this.#held.trimStart().length;
    if (isBare && !mayBeCall(this.#held.slice(this.#from))) return this.#giveUp(this.#from + 1);
    const end = this.#scan.read(this.#held, this.#read);
    this.#read = this.#held.length;
    if (end < 0) return false;
    const calls = callsIn(this.#held.slice(this.#from, end));
    if (!calls) return this.#giveUp(end);
    for (const call of calls) this.#calls.push({ index: this.#count++, id: this.#newId(), ...call });
    this.#held = this.#held.slice(end);
    this.#state = 'after';
    return true;
  }

  /** Behind a call: the closing marker, another value, or text. */
  #after(): boolean {
    const { close = '', isList, opens } = this.#frame;
    const said = this.#held.trimStart();
    if (said === '') return false;
    if (close !== '') {
      if (said.length < close.length && close.startsWith(said)) return false;
      if (said.startsWith(close)) {
        this.#held = said.slice(close.length);
        this.#state = 'between';
        return true;
      }
    }
    const rest = this.#isBare && said.startsWith(';') ? said.slice(1).trimStart() : said;
    if (!isList && rest.startsWith('{')) {
      this.#held = rest;
      this.#beginValue(0);
      return true;
    }
    if (this.#isBare && rest === '') return false;
    if (opens.some((marker) => marker.startsWith(said))) return false;
    this.#state = 'between';
    return true;
  }

  /** White space behind a call is no text. */
  #between(): boolean {
    this.#held = this.#held.trimStart();
    if (this.#held === '') return false;
    this.#state = 'text';
    return true;
  }

  /** No call: the first characters are text, and the rest is looked at anew. */
  #giveUp(length: number): boolean {
    this.#release(length);
    this.#state = 'text';
    return this.#held !== '';
  }

  #release(length: number): void {
    this.#text += this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
  }

  #skipSpace(from: number): number {
    let at = from;
    while (at < this.#held.length && SPACE.test(this.#held[at])) at++;
    return at;
  }
}
