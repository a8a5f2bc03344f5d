import { Template as Original } from '@huggingface/jinja';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TEMPLATES } from '../templates.cases.ts';
import { HOSTILE } from './hostile.cases.ts';
import { parseTemplate, runTemplate, usesVariable } from './index.ts';

const render = (source: string, variables: Record<string, unknown> = {}): string =>
  runTemplate(parseTemplate(source), variables);

/** As `render`, by the interpreter alone. */
const original = (source: string, variables: Record<string, unknown>): string =>
  new (Original as new (source: string) => { render(items: unknown): string })(source).render(variables);

const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'It',
      parameters: { type: 'object', properties: { city: {} } },
    },
  },
];

const CALL = {
  id: 'abcdefghi',
  type: 'function',
  function: { name: 'weather', arguments: { city: 'Rome' } },
};

const CHATS: readonly (readonly Record<string, unknown>[])[] = [
  [{ role: 'user', content: ' Hi <|end|> {{ x }} \n' }],
  [
    { role: 'system', content: 'Be short.' },
    { role: 'user', content: 'Größe?\n\n' },
    { role: 'assistant', content: '<think>hm</think>\n\nKlein.' },
    { role: 'user', content: '' },
  ],
  [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: '', tool_calls: [CALL] },
    { role: 'tool', content: '20 °C', tool_call_id: 'abcdefghi' },
  ],
];

describe('templates of known families', () => {
  test.each(Object.entries(TEMPLATES))('%s renders as the interpreter without bounds does', (_, source) => {
    for (const messages of CHATS) {
      for (const tools of [undefined, TOOLS]) {
        const variables = {
          messages,
          tools,
          bos_token: '<s>',
          eos_token: '</s>',
          add_generation_prompt: true,
        };
        expect(render(source, variables)).toBe(original(source, variables));
      }
    }
  });

  test('a long chat is no loop without end', () => {
    const turns = Array.from({ length: 2000 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: `<think>${i}</think>${'word '.repeat(200)}`,
    }));
    const variables = { messages: turns, bos_token: '', eos_token: '', add_generation_prompt: true };
    for (const source of Object.values(TEMPLATES)) {
      expect(render(source, variables).length).toBeGreaterThan(1_000_000);
    }
  });
});

describe('what the interpreter can', () => {
  test.each([
    ['{{ "%s|%s" | replace("%s", "x") }}{{ "aXbX".replace("X", "", 1) }}', 'x|xabX'],
    ['{{ "".replace("", "y") }}{{ "ab".replace("", "-") }}', 'y-a-b-'],
    ['{{ [1, "b", [2]] | join(", ") }}{{ "abc" | join("-") }}', '1, b, 2a-b-c'],
    ['{{ {"a": [1, {}]} | tojson(indent=2) }}', '{\n  "a": [\n    1,\n    {}\n  ]\n}'],
    ['{{ [3, 1, 2] | sort(reverse=true) }}{{ [1, 1] | unique }}', '[3, 2, 1][1]'],
    ['{{ "a\nb" | indent(2, first=true) }}', '  a\n  b'],
    ['{{ "abcdef"[1:5:2] }}{{ [1, 2, 3][::-1] }}', 'bd[3, 2, 1]'],
    ['{% filter upper %}a{{ 1 + 1 }}{% endfilter %}', 'A2'],
    ['{% macro f(a, b=2) %}{{ a ~ b }}{% endmacro %}{{ f(1) }}{{ f(*[3], b=4) }}', '1234'],
    ['{% macro f() %}<{{ caller("x") }}>{% endmacro %}{% call(y) f() %}{{ y }}{% endcall %}', '<x>'],
    ['{% for k, v in {"a": 1}.items() %}{{ k }}{{ v }}{{ loop.last }}{% endfor %}', 'a1true'],
    [
      '{% for x in [1, 2, 3] if x > 1 %}{{ x }}{% endfor %}{% for x in [] %}{% else %}none{% endfor %}',
      '23none',
    ],
    [
      '{% for x in range(9) %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}',
      '013',
    ],
    ['{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{{ ns }}', '2{"a": 2}'],
    ['{{ [{"r": "a"}, {"r": "b"}] | selectattr("r", "equalto", "b") | map(attribute="r") | first }}', 'b'],
    [
      '{{ x | default("d") }}{{ x is defined }}{{ "a" if false else "b" }}{{ 7 // 2 }}{{ -3 | abs }}',
      'dfalseb33',
    ],
    ['{{ "a" in "cat" }}{{ "k" in {"k": 1} }}{{ 2 not in [1] }}{{ 1 == 1.0 }}', 'truetruetruetrue'],
    [
      '{{ " a b ".strip().split(" ") }}{{ "a,b".split(",", 1)[1] }}{{ "ab".startswith(("x", "a")) }}',
      '["a", "b"]btrue',
    ],
    ['{{ {"b": 1, "a": 2} | dictsort }}{{ {"f": "x".upper}.f() }}', '[["a", 2], ["b", 1]]X'],
    ['{%- generation %}x{% endgeneration %}{# note #}', 'x'],
  ])('%s', (source, text) => {
    expect(render(source)).toBe(text);
  });
});

describe('hostile templates', () => {
  test.each(Object.entries(HOSTILE))('%s', (_, { source, fails }) => {
    expect(() => render(source, { messages: CHATS[1] })).toThrow(fails);
  });

  test('reach nothing of the host', () => {
    const names = [
      '__proto__',
      'constructor',
      'prototype',
      '__class__',
      'toString',
      'call',
      'map',
      'hasOwnProperty',
    ];
    const values = [
      'messages',
      'messages[0]',
      '"x"',
      'range',
      'namespace()',
      '1',
      'true',
      'none',
      '[]',
      '{}',
    ];
    const tried = values.flatMap((value) =>
      names.map(
        (name) =>
          `{% if ${value} is defined %}{{ (${value}).${name} }}{{ (${value})["${name}"] }}{% endif %}`,
      ),
    );
    expect(render(tried.join(''), { messages: CHATS[1] })).toBe('');
    expect(render('{{ range }}{{ namespace ~ "" }}{{ [range] | join }}')).toBe(
      '<function><function><function>',
    );
  });

  test('names of fields that objects have anyway are names like any other', () => {
    const message = JSON.parse('{"__proto__": "a", "constructor": "b"}') as Record<string, unknown>;
    expect(render('{{ m["__proto__"] }}{{ m.constructor }}{{ m | length }}', { m: message })).toBe('ab2');
  });

  test('what is handed in is a copy', () => {
    const messages = [{ role: 'user', content: ['a'] }];
    render('{% set messages = messages + [1] %}{% for m in messages %}{% set m = 2 %}{% endfor %}', {
      messages,
    });
    expect(messages).toEqual([{ role: 'user', content: ['a'] }]);
  });

  test('data is handed in, nothing that runs, and none that never ends', () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(() => render('', { x: () => 1 })).toThrow('is given data, no function');
    expect(() => render('', { x: ring })).toThrow('nest deeper than 64');
  });
});

describe('random templates', () => {
  /** Expressions over texts, lists and numbers, with the operations that can make much out of little. */
  const { expression } = fc.letrec<{ expression: string }>((tie) => {
    const inner = tie('expression');
    return {
      expression: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(
          'ns.x',
          'ns',
          'x',
          '"ab"',
          '""',
          '[ns.x, x]',
          '12345',
          '-1',
          'none',
          'messages',
          'range',
          'range(99)',
        ),
        fc
          .tuple(inner, fc.constantFrom('~', '+', '*', '-', '==', 'in', 'and', '%', '//', '**'), inner)
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
        fc
          .tuple(
            inner,
            fc.constantFrom(
              'length',
              'upper',
              'tojson',
              'join',
              'list',
              'sort',
              'string',
              'unique',
              'title',
              'indent',
              'first',
              'items',
              'int',
            ),
          )
          .map(([a, name]) => `(${a} | ${name})`),
        fc
          .tuple(inner, fc.constantFrom('replace', 'join', 'indent', 'default', 'split'), inner, inner)
          .map(([a, name, b, c]) => `(${a} | ${name}(${b}, ${c}))`),
        fc
          .tuple(
            inner,
            fc.constantFrom('replace', 'split', 'strip', 'items', 'get', 'constructor', 'upper'),
            inner,
            inner,
          )
          .map(([a, name, b, c]) => `(${a}).${name}(${b}, ${c})`),
        fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a})[${b}:${c}]`),
        fc.tuple(inner, inner).map(([a, b]) => `f(${a}, ${b})`),
        inner.map((a) => `[${a}, ${a}]`),
        inner.map((a) => `{"k": ${a}}`),
      ),
    };
  });

  test('end, with a text or an error of a few words', () => {
    const body = fc.array(
      fc.oneof(
        expression.map((one) => `{% set ns.x = ${one} %}`),
        expression.map((one) => `{% set x = ${one} %}`),
        expression.map((one) => `{{ ${one} }}`),
        expression.map((one) => `{% for x in ${one} %}{% set ns.x = ns.x ~ x %}{% endfor %}`),
      ),
      { minLength: 1, maxLength: 4 },
    );
    const ends: Record<string, number> = {};
    fc.assert(
      fc.property(body, expression, (steps, macro) => {
        const source = `{% macro f(x, y) %}{{ ${macro} }}{% endmacro %}{% set ns = namespace(x="a") %}{% for i in range(50) %}${steps.join('')}{% endfor %}{{ ns }}`;
        let end = 'text';
        try {
          expect(render(source, { messages: CHATS[1], x: 'xyz' }).length).toBeLessThanOrEqual(2 ** 24);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          end = 'error';
        }
        ends[end] = (ends[end] ?? 0) + 1;
      }),
      { numRuns: 300, seed: 1 },
    );
    expect(Object.keys(ends).sort()).toEqual(['error', 'text']);
  });

  test('what they say without bounds they say with them', () => {
    fc.assert(
      fc.property(expression, (one) => {
        const source = `{% macro f(x, y) %}{{ x }}{% endmacro %}{% set ns = namespace(x="a") %}{{ ${one} }}`;
        const variables = { messages: CHATS[0], x: 'xyz' };
        let expected: string | undefined;
        try {
          expected = original(source, variables);
        } catch {
          return;
        }
        // On purpose two things differ: functions are not written out as their source, and a namespace stays alone.
        if (/\bns\b(?!\.)|range(?!\()|\.(replace|upper|constructor)\b/.test(one)) return;
        expect(render(source, variables)).toBe(expected);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  test('any text is parsed or refused', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '{%',
      '%}',
      '{#',
      '#}',
      '-',
      'if',
      'for',
      'in',
      'x',
      ' ',
      '(',
      ')',
      '[',
      ']',
      "'",
      '"',
      '|',
      '\\',
      '1',
      '.',
      'endif',
      'macro',
      'set',
      '=',
      ',',
      ':',
      '\n',
      'generation',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          expect(typeof render(pieces.join(''))).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000, seed: 3 },
    );
  });
});

describe('usesVariable', () => {
  test.each([
    ['{{ tools }}', true],
    ['{% if messages and tools is not none %}{% endif %}', true],
    ['{% macro f(a=tools) %}{% endmacro %}', true],
    ['{{ {"a": [tools[0]]} }}', true],
    ['{{ message.tools }}{{ message["tools"] }}', false],
    ['{{ x | tools }}{{ f(tools=1) }}{{ x is tools }}tools{# tools #}', false],
  ])('%s: %s', (source, expected) => {
    expect(usesVariable(parseTemplate(source), 'tools')).toBe(expected);
  });

  test('is asked of the known families', () => {
    const users = Object.entries(TEMPLATES).filter(([, source]) =>
      usesVariable(parseTemplate(source), 'tools'),
    );
    expect(users.map(([name]) => name)).toEqual(['hermes', 'llama3', 'mistral']);
  });
});
