import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sampler } from '../sampling/index.ts';
import { charSet } from './char-set.ts';
import {
  ANY,
  characters,
  choice,
  type Expression,
  type Grammar,
  optional,
  repeat,
  ruleOf,
  sequence,
  shared,
  text,
} from './expression.ts';
import { JSON_OBJECT, parseGbnf, TokenGrammar } from './index.ts';
import { matcher, vocabulary } from './testing.cases.ts';
import { bytesOf } from './utf8.ts';

const idsOf = (grammar: TokenGrammar): number[] => [...grammar.allowed().ids()];

describe('a grammar over tokens', () => {
  const grammar = parseGbnf('root ::= "ab" [c-e]* "é"?');

  it('allows the tokens that go on as it says, whole or in part', () => {
    const tokens = vocabulary(['a', 'ab', 'abx', 'abcde', 'b', 'abé', 'abéc', '']);
    const text = new TokenGrammar(grammar, tokens);
    expect(idsOf(text)).toEqual([0, 1, 3, 5]);
    text.accept(0);
    expect(idsOf(text)).toEqual([4]);
    expect(text.isComplete).toBe(false);
    text.accept(4);
    expect(text.isComplete).toBe(true);
    // Nothing more of the vocabulary fits, so only the end does.
    expect(idsOf(text)).toEqual([8]);
  });

  it('reads characters that are spread over tokens', () => {
    const [first, second] = bytesOf('é');
    const text = new TokenGrammar(
      grammar,
      vocabulary(['ab', Uint8Array.of(first), Uint8Array.of(second), 'c']),
    );
    text.accept(0);
    expect(idsOf(text)).toEqual([1, 3, 4]);
    text.accept(1);
    expect([text.isComplete, idsOf(text)]).toEqual([false, [2]]);
    text.accept(2);
    expect([text.isComplete, text.isOver, idsOf(text)]).toEqual([true, true, [4]]);
  });

  it('never allows control tokens, tokens without bytes and ids outside of the vocabulary', () => {
    const tokens = { ...vocabulary(['ab', 'ab', '']), isControl: (id: number) => id === 1 };
    const text = new TokenGrammar(grammar, tokens);
    expect(idsOf(text)).toEqual([0]);
    expect([0, 1, 2, 3, 4, -1, 0.5].map((id) => text.allows(id))).toEqual([true, ...Array(6).fill(false)]);
    expect([4, 99, -1].map((id) => text.allowed().has(id))).toEqual([false, false, false]);
    expect(() => text.accept(1)).toThrow('token 1 does not go on as the grammar says');
  });

  it('shares what it learned of one grammar and vocabulary between texts, and not where they are', () => {
    const tokens = vocabulary(['a', 'b']);
    const one = new TokenGrammar(grammar, tokens);
    const other = new TokenGrammar(grammar, tokens);
    expect(one.allowed()).toBe(other.allowed());
    one.accept(0);
    expect([idsOf(one), idsOf(other)]).toEqual([[1], [0]]);
  });
});

const LETTERS = ['a', 'b', 'é'];
const terminal: fc.Arbitrary<Expression> = fc.oneof(
  fc.array(fc.constantFrom(...LETTERS), { maxLength: 3 }).map((all) => text(all.join(''))),
  fc.constantFrom(characters(charSet([0x61, 0x62])), characters(charSet([0xe0, 0xff])), ANY),
);

/** Rules after `index` may be called anywhere, the others behind a letter: so none begins with itself. */
function expression(index: number, depth: number): fc.Arbitrary<Expression> {
  if (depth === 0) return terminal;
  const inner = expression(index, depth - 1);
  const behind = fc.constantFrom(0, 1, 2, 3).map((rule) => sequence(text('a'), ruleOf(`r${rule}`)));
  const after = [1, 2, 3].filter((rule) => rule > index);
  const node = fc.record({ ends: fc.boolean(), labels: fc.array(inner, { maxLength: 2 }) });
  const graph = fc.tuple(node, node).map(
    ([first, second]): Expression => ({
      kind: 'graph',
      nodes: [first, second].map(({ ends, labels }, i) => ({
        ends: ends || i === 1,
        edges: labels.map((label, to) => ({ label: to > i ? label : sequence(text('b'), label), to })),
      })),
    }),
  );
  return fc.oneof(
    terminal,
    behind,
    ...(after.length > 0 ? [fc.constantFrom(...after).map((rule) => ruleOf(`r${rule}`))] : []),
    fc.array(inner, { minLength: 2, maxLength: 3 }).map((items) => sequence(...items)),
    fc.array(inner, { minLength: 2, maxLength: 3 }).map((items) => choice(...items)),
    fc
      .tuple(inner, fc.constantFrom([0, 2], [1, 3], [2, 2], [0, Infinity], [1, Infinity]))
      .map(([item, [least, most]]) => repeat(item, least, most)),
    inner.map(optional),
    inner.map(shared),
    graph,
  );
}

const grammars: fc.Arbitrary<Grammar> = fc
  .tuple(...[0, 1, 2, 3].map((index) => expression(index, 3)))
  .map((rules) => ({
    name: 'random',
    root: 'r0',
    rules: new Map(rules.map((rule, i) => [`r${i}`, { expression: rule }])),
  }));

/** Where a part of `letters` that begins at `from` and matches may end: the meaning of a grammar, in the plainest way. */
function endsOf(grammar: Grammar, one: Expression, letters: readonly string[], from: number): Set<number> {
  const next = (item: Expression, at: number) => endsOf(grammar, item, letters, at);
  const all = (item: Expression, starts: Set<number>) =>
    new Set([...starts].flatMap((at) => [...next(item, at)]));
  switch (one.kind) {
    case 'text': {
      const end = from + Array.from(one.text).length;
      return new Set(letters.slice(from, end).join('') === one.text ? [end] : []);
    }
    case 'characters': {
      const number = letters[from]?.codePointAt(0);
      const inside =
        number !== undefined && one.set.some(([first, last]) => first <= number && number <= last);
      return new Set(inside ? [from + 1] : []);
    }
    case 'sequence':
      return one.items.reduce((starts, item) => all(item, starts), new Set([from]));
    case 'choice':
      return new Set(one.items.flatMap((item) => [...next(item, from)]));
    case 'repeat': {
      let at = new Set([from]);
      const ends = new Set(one.least === 0 ? at : []);
      for (let times = 1; times <= Math.min(one.most, one.least + letters.length); times++) {
        at = all(one.item, at);
        if (times >= one.least) for (const end of at) ends.add(end);
      }
      return ends;
    }
    case 'shared':
      return next(one.item, from);
    case 'rule':
      return next(grammar.rules.get(one.name)?.expression ?? text(''), from);
    case 'graph': {
      const seen = new Map<string, readonly [number, number]>([[`0 ${from}`, [0, from]]]);
      for (const [node, at] of seen.values()) {
        for (const { label, to } of one.nodes[node].edges) {
          for (const end of next(label, at)) seen.set(`${to} ${end}`, [to, end]);
        }
      }
      return new Set([...seen.values()].filter(([node]) => one.nodes[node].ends).map(([, end]) => end));
    }
  }
}

/** All texts of up to four letters. */
const TEXTS: string[][] = [[]];
for (let at = 0; TEXTS[at].length < 4; at++) for (const letter of LETTERS) TEXTS.push([...TEXTS[at], letter]);

/** Grammars that match no text at all are errors. */
function orNothing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (problem) {
    expect((problem as Error).message).toMatch('no text at all matches');
    return undefined;
  }
}

describe('random grammars', () => {
  it('match the texts that they mean', () => {
    let [right, wrong] = [0, 0];
    fc.assert(
      fc.property(grammars, (grammar) => {
        const matches = orNothing(() => matcher(grammar));
        for (const letters of TEXTS) {
          const meant = endsOf(grammar, ruleOf('r0'), letters, 0).has(letters.length);
          expect([letters.join(''), matches?.(letters.join('')) ?? false]).toEqual([letters.join(''), meant]);
          if (meant) right++;
          else wrong++;
        }
      }),
      { numRuns: 400 },
    );
    expect(right).toBeGreaterThan(2000);
    expect(wrong).toBeGreaterThan(2000);
  });

  it('allow the tokens that they allow one by one', () => {
    const [first, second] = bytesOf('é');
    const piece = fc.oneof(
      fc
        .array(fc.constantFrom('a', 'b', 'é', 'c', '😀'), { maxLength: 4 })
        .map((all) => bytesOf(all.join(''))),
      fc
        .array(fc.constantFrom(first, second, 0x61, 0x62), { maxLength: 3 })
        .map((all) => Uint8Array.from(all)),
    );
    fc.assert(
      fc.property(
        grammars,
        fc.array(piece, { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (grammar, pieces, choices) => {
          const tokens = vocabulary(pieces);
          const text = orNothing(() => new TokenGrammar(grammar, tokens));
          if (!text) return;
          const everyId = Array.from({ length: tokens.vocabularySize }, (_, id) => id);
          for (const pick of choices) {
            const ids = idsOf(text);
            expect(ids).toEqual(everyId.filter((id) => text.allows(id)));
            expect(text.allowed().size).toBe(ids.length);
            expect(text.allowed().has(pieces.length)).toBe(text.isComplete);
            const going = ids.filter((id) => id < pieces.length);
            if (text.isOver) expect(going).toEqual([]);
            if (going.length === 0) return;
            text.accept(going[pick % going.length]);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('know of a text that was read in tokens what they know of it whole', () => {
    fc.assert(
      fc.property(grammars, fc.nat(TEXTS.length - 1), fc.nat(8), (grammar, at, cut) => {
        const bytes = bytesOf(TEXTS[at].join(''));
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0);
        const text = orNothing(() => new TokenGrammar(grammar, vocabulary(parts)));
        const going = parts.every((_, id) => {
          const fits = text?.allows(id) ?? false;
          if (fits) text?.accept(id);
          return fits;
        });
        const whole = orNothing(() => matcher(grammar))?.(TEXTS[at].join('')) ?? false;
        expect(going && text?.isComplete === true).toBe(whole);
      }),
      { numRuns: 400 },
    );
  });
});

describe('a constrained sampler', () => {
  const pieces = ['{', '}', '"', 'a', ':', ' ', '1', ',', 'x', 'true'];
  const tokens = vocabulary(pieces);
  const END = pieces.length;
  const logits = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), {
    minLength: END + 3,
    maxLength: END + 3,
  });

  /** The same without the shortcut of greedy choice. */
  class Plain {
    readonly #inner = new TokenGrammar(JSON_OBJECT, tokens);
    readonly allows = () => false;
    readonly allowed = () => this.#inner.allowed();
    readonly accept = (id: number) => this.#inner.accept(id);
    get isOver(): boolean {
      return this.#inner.isOver;
    }
  }

  it('chooses at temperature 0 what the whole mask would leave likeliest', () => {
    fc.assert(
      fc.property(fc.array(logits, { minLength: 1, maxLength: 12 }), (steps) => {
        const [fast, plain] = [new TokenGrammar(JSON_OBJECT, tokens), new Plain()];
        const samplers = [fast, plain].map(
          () => new Sampler({ repetitionPenalty: 1.3, presencePenalty: 0.2 }),
        );
        for (const step of steps) {
          const row = Float32Array.from(step);
          const id = samplers[0].next(row, fast);
          expect(samplers[1].next(row, plain)).toBe(id);
          const allowed = [...plain.allowed().ids()];
          expect(allowed).toContain(id);
          if (id === END) return;
          fast.accept(id);
          plain.accept(id);
        }
      }),
    );
  });

  it('draws as if the forbidden tokens had never been there', () => {
    // p .4 .3 .2 .1, the first forbidden; top_p .5 keeps of the rest (1/2, 1/3, 1/6) the first.
    const grammar = parseGbnf('root ::= "b" | "c" | "d"');
    const row = Float32Array.from([0.4, 0.3, 0.2, 0.1, 0], Math.log);
    const counts = (topP: number) => {
      const sampler = new Sampler({ temperature: 1, seed: 3, topP });
      const drawn = [0, 0, 0, 0, 0];
      const constraint = new TokenGrammar(grammar, vocabulary(['a', 'b', 'c', 'd']));
      for (let i = 0; i < 6000; i++) drawn[sampler.next(row, constraint)]++;
      return drawn;
    };
    expect(counts(0.5)).toEqual([0, 6000, 0, 0, 0]);
    const drawn = counts(1);
    expect([drawn[0], drawn[4]]).toEqual([0, 0]);
    // Four standard deviations of 6000 draws are below 155.
    [3000, 2000, 1000].forEach((mean, i) => void expect(Math.abs(drawn[i + 1] - mean)).toBeLessThan(155));
  });

  it('says so where nothing is left', () => {
    const constraint = new TokenGrammar(parseGbnf('root ::= "b"'), vocabulary(['a', 'b']));
    const logitBias = new Map([[1, Number.NEGATIVE_INFINITY]]);
    for (const temperature of [0, 1]) {
      const sampler = new Sampler({ logitBias, temperature, seed: 1 });
      expect(() => sampler.next(Float32Array.of(1, 1, 1), constraint)).toThrow('allows no token');
    }
  });
});
