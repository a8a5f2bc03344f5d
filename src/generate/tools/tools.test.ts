import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { inputError } from '../../core/index.ts';
import { ChatTemplate, type Tokenizer, tokenizerOf } from '../../text/index.ts';
import { TEMPLATES } from '../../text/templates.cases.ts';
import { ggufOf, sentencePieceEntries } from '../../text/testing.cases.ts';
import { TokenGrammar } from '../grammar/index.ts';
import { TOOL_FORMATS, type Tool, type ToolChoice, type ToolDelta, type ToolUse, toolUse } from './index.ts';

const WEATHER: Tool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 20 } },
      required: ['city'],
      additionalProperties: false,
    },
  },
};
const TIME: Tool = { type: 'function', function: { name: 'time' } };
const TOOLS = [WEATHER, TIME];

/** Those that are control tokens in the models' own vocabularies are so here. */
const CONTROL = [
  '<|im_start|>',
  '<|im_end|>',
  '[TOOL_CALLS]',
  '<|tool_call|>',
  '<|/tool_call|>',
  '<|python_tag|>',
];
const USER = { role: 'user', content: 'Weather in Rome?' };

let tokenizer: Tokenizer;
beforeAll(async () => {
  const extra = [{ text: '▁' }, ...CONTROL.map((text) => ({ text, type: 'control' as const }))];
  tokenizer = tokenizerOf(await ggufOf(sentencePieceEntries(extra)));
});

type Family = keyof typeof TEMPLATES;

const template = (family: Family): ChatTemplate => new ChatTemplate(TEMPLATES[family], tokenizer, 'm.gguf');
const use = (family: Family, choice: ToolChoice = 'auto', tools: readonly Tool[] = TOOLS): ToolUse =>
  toolUse(template(family), tokenizer, tools, { choice });

/** What a parser says of an answer in these pieces; ids of calls left out, because they are random. */
function parsed(of: ToolUse, pieces: readonly string[]) {
  const parser = of.parser();
  const deltas: ToolDelta[] = pieces.map((piece) => parser.push(piece));
  deltas.push(parser.flush());
  const calls = deltas.flatMap((delta) => delta.calls);
  expect(parser.count).toBe(calls.length);
  return {
    text: deltas.map((delta) => delta.text).join(''),
    calls: calls.map(({ index, name, arguments: given }) => [index, name, given]),
  };
}

const ROME = [0, 'weather', '{"city":"Rome"}'];

describe('the format of a template', () => {
  test.each([
    ['hermes', 'hermes'],
    ['llama3', 'llama3'],
    ['mistral', 'mistral'],
    ['phi4Mini', 'phi4-mini'],
    ['phi3', 'described'],
    ['chatml', 'described'],
  ] as const)('%s: %s', (family, name) => {
    expect(use(family).format).toBe(name);
  });

  test('is that of Hermes where tools are taken in a way that is not known', () => {
    const other = new ChatTemplate('{% if tools %}{{ tools | tojson }}{% endif %}', tokenizer, 'm.gguf');
    expect(toolUse(other, tokenizer, TOOLS).format).toBe('unknown');
  });

  test('every format is reached', () => {
    expect(TOOL_FORMATS.map(({ name }) => name)).toEqual([
      'mistral',
      'phi4-mini',
      'hermes',
      'llama3',
      'unknown',
      'described',
    ]);
  });
});

describe('the prompt', () => {
  test.each(Object.keys(TEMPLATES) as Family[])(
    '%s: tools, a call and its result are all in it',
    (family) => {
      const call = {
        id: 'call_1',
        type: 'function',
        function: { name: 'weather', arguments: '{"city": "Rome"}' },
      };
      const messages = [
        USER,
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: '20 degrees' },
      ];
      const text = use(family).render(messages);
      expect(text).toContain('The weather of a city.');
      expect(text).toMatch(/"city": ?"Rome"/);
      expect(text).toContain('20 degrees');
      expect(text).toContain('Weather in Rome?');
    },
  );

  test('hears of no tools where none may be called', () => {
    for (const [tools, choice] of [
      [TOOLS, 'none'],
      [[], 'auto'],
      [undefined, 'auto'],
    ] as const) {
      const none = toolUse(template('hermes'), tokenizer, tools, { choice });
      expect(none.format).toBeUndefined();
      expect(none.render([USER])).toBe(
        '<|im_start|>user\nWeather in Rome?<|im_end|>\n<|im_start|>assistant\n',
      );
      expect(none.constraint()).toBeUndefined();
      expect(parsed(none, ['<tool_call>', '{"name": "time"}'])).toEqual({
        text: '<tool_call>{"name": "time"}',
        calls: [],
      });
    }
  });

  test('describes tools to the user where the template leaves a system message out', () => {
    const text = use('phi3').render([{ role: 'system', content: 'S' }, USER]);
    expect(text).toMatch(/^<s><\|user\|>\nYou can call these functions:\n\{"name":"weather"/);
    expect(text).toContain('Weather in Rome?<|end|>');
    expect(use('chatml').render([{ role: 'system', content: 'Be short.' }, USER])).toMatch(
      /^<\|im_start\|>system\nBe short\.\n\nYou can call these functions:/,
    );
  });

  test('results of several calls are one turn of the user where tools are described', () => {
    const text = use('chatml').render([USER, { role: 'tool', content: 'a' }, { role: 'tool', content: 'b' }]);
    expect(text).toContain(
      '<|im_start|>user\n<tool_response>\na\n</tool_response>\n<tool_response>\nb\n</tool_response><|im_end|>',
    );
  });

  test('Llama gets one call a message, each with its result', () => {
    const calls = ['a', 'b'].map((id) => ({
      id,
      type: 'function',
      function: { name: `f_${id}`, arguments: '{}' },
    }));
    const text = use('llama3').render([
      USER,
      { role: 'assistant', content: '', tool_calls: calls },
      { role: 'tool', tool_call_id: 'b', content: 'Result B' },
      { role: 'tool', tool_call_id: 'a', content: 'Result A' },
    ]);
    const places = ['f_a', 'Result A', 'f_b', 'Result B'].map((part) => text.indexOf(part));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(Math.min(...places)).toBeGreaterThan(0);
  });

  test('Mistral gets ids of nine letters and digits, the same for call and result', () => {
    const call = { id: 'call_0123456789', type: 'function', function: { name: 'time', arguments: '{}' } };
    const text = use('mistral').render([
      USER,
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_0123456789', content: 'x' },
    ]);
    const [id] = /(?<="id": ")[A-Za-z0-9]{9}(?=")/.exec(text) ?? [];
    expect(text).toContain(`"call_id": "${id}"`);
    expect(parsedIds('mistral', '[TOOL_CALLS] [{"name": "time", "arguments": {}}]')[0]).toMatch(
      /^[A-Za-z0-9]{9}$/,
    );
    expect(parsedIds('hermes', '<tool_call>{"name": "time"}</tool_call>')[0]).toMatch(
      /^call_[A-Za-z0-9]{24}$/,
    );
  });

  test('ends with the opening marker, as its token, where a call is forced', () => {
    const ids = [...use('mistral', 'required').encode([USER])];
    expect(ids.at(-1)).toBe(tokenizer.tokenOf('[TOOL_CALLS]'));
    expect(use('hermes', 'required').render([USER])).toMatch(/<\|im_start\|>assistant\n<tool_call>$/);
    expect(use('hermes', 'auto').render([USER])).toMatch(/<\|im_start\|>assistant\n$/);
  });
});

function parsedIds(family: Family, answer: string): string[] {
  return use(family)
    .parser()
    .push(answer)
    .calls.map(({ id }) => id);
}

describe('an answer', () => {
  test.each([
    [
      'hermes',
      'Let me look.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
      'Let me look.',
    ],
    ['hermes', '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}', ''],
    ['chatml', ' <tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>\n\n', ''],
    [
      'hermes',
      '<tool_call>[{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]</tool_call>',
      '',
    ],
    ['llama3', '{"name": "weather", "parameters": {"city": "Rome"}}', ''],
    ['llama3', '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome"}}', ''],
    ['llama3', '\n{ "type": "function", "name": "weather", "parameters": {"city": "Rome"}}\n', ''],
    ['mistral', '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}]', ''],
    [
      'phi4Mini',
      'So: <|tool_call|>[{"name": "weather", "arguments": {"city": "Rome"}}]<|/tool_call|>',
      'So:',
    ],
  ] as const)('%s: %j holds a call', (family, answer, text) => {
    expect(parsed(use(family), [answer])).toEqual({ text, calls: [ROME] });
    expect(parsed(use(family), [...answer])).toEqual({ text, calls: [ROME] });
  });

  test.each([
    [
      'hermes',
      '<tool_call>{"name": "time"}</tool_call>\n<tool_call>\n{"name": "time", "arguments": {"a": "</tool_call>}"}}\n</tool_call> Done.',
      'Done.',
    ],
    [
      'hermes',
      '<tool_call>{"name": "time"}\n{"name": "time", "arguments": {"a": "</tool_call>}"}}</tool_call>Done.',
      'Done.',
    ],
    ['llama3', '{"name": "time"}; {"name": "time", "parameters": {"a": "</tool_call>}"}} Done.', 'Done.'],
    [
      'mistral',
      '[TOOL_CALLS] [{"name": "time"}, {"name": "time", "arguments": {"a": "</tool_call>}"}}]Done.',
      'Done.',
    ],
  ] as const)('%s: %j holds two calls and a text', (family, answer, text) => {
    const calls = [
      [0, 'time', '{}'],
      [1, 'time', '{"a":"</tool_call>}"}'],
    ];
    expect(parsed(use(family), [answer])).toEqual({ text, calls });
    expect(parsed(use(family), [...answer])).toEqual({ text, calls });
  });

  test.each([
    ['hermes', 'Plain {"name": "time"} text '],
    ['hermes', 'a < b <tool_call'],
    ['hermes', '<tool_call>\n{"name": "time", "arguments": [1]}\n</tool_call>'],
    ['hermes', '<tool_call>{"name": 3}</tool_call>'],
    ['hermes', '<tool_call>{"name": "time", "arguments": {'],
    ['hermes', ' <tool_call>time()</tool_call> \n'],
    ['hermes', '<tool_call>{name: time}</tool_call>'],
    ['llama3', '{"answer": 3}'],
    ['llama3', '{"name": "Ada", "parameters": 1815} is no call'],
    ['llama3', 'Look: {"name": "time", "parameters": {}}'],
    ['mistral', '[TOOL_CALLS] weather'],
    ['mistral', '[TOOL_CALLS] []'],
    ['phi4Mini', '<|tool_call|>[{"name": "time"}, 3]<|/tool_call|>'],
  ] as const)('%s: %j is text, to the letter', (family, answer) => {
    expect(parsed(use(family), [answer])).toEqual({ text: answer, calls: [] });
    expect(parsed(use(family), [...answer])).toEqual({ text: answer, calls: [] });
  });

  test('says the same in whatever pieces it comes', () => {
    const piece = fc.constantFrom(
      '<tool_call>',
      '</tool_call>',
      '{"name": "time"}',
      '{"name": "time", "arguments": {"a": [1, "}"]}}',
      '[',
      ']',
      '{',
      '}',
      '"',
      ' ',
      '\n',
      'text',
      '<',
      ';',
      '[TOOL_CALLS]',
      '<|python_tag|>',
      ',',
    );
    const family = fc.constantFrom('hermes', 'llama3', 'mistral', 'phi4Mini') as fc.Arbitrary<Family>;
    fc.assert(
      fc.property(
        family,
        fc.array(piece, { maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (name, parts, lengths) => {
          const answer = parts.join('');
          const pieces: string[] = [];
          for (let at = 0; at < answer.length; at += pieces[pieces.length - 1].length) {
            pieces.push(answer.slice(at, at + lengths.next().value));
          }
          const whole = parsed(use(name), [answer]);
          expect(parsed(use(name), pieces)).toEqual(whole);
          // Without calls nothing is lost.
          if (whole.calls.length === 0) expect(whole.text).toBe(answer);
        },
      ),
      { numRuns: 2000, seed: 5 },
    );
  });

  test('markers that are control tokens are known by their ids', () => {
    const parser = use('mistral').parser();
    expect(parser.push('', tokenizer.tokenOf('[TOOL_CALLS]'))).toEqual({ text: '', calls: [] });
    expect(parser.push(' [{"name": "time"}]').calls).toMatchObject([
      { index: 0, name: 'time', arguments: '{}' },
    ]);
  });
});

/** Whether a text is one that the constraint of a forced call lets through, to its end. */
function follows(of: ToolUse, text: string): boolean {
  const grammar = of.constraint();
  expect(grammar).toBeInstanceOf(TokenGrammar);
  return (
    grammar instanceof TokenGrammar && grammar.read(new TextEncoder().encode(text)) && grammar.isComplete
  );
}

describe('a forced call', () => {
  const call = (key: string, name = 'weather', city = '"Rome"') =>
    `{"name": "${name}", "${key}": {"city": ${city}}}`;

  test.each([
    ['hermes', `\n${call('arguments')}\n</tool_call>`],
    ['phi3', `\n${call('arguments')}\n</tool_call>`],
    ['llama3', call('parameters')],
    ['mistral', ` [${call('arguments')}]`],
    // The closing marker is a control token, which no text can be: the answer ends before it.
    ['phi4Mini', `[${call('arguments')}]`],
  ] as const)('%s: follows the form and the schema, and is read as a call', (family, answer) => {
    const forced = use(family, 'required');
    expect(forced.isForced).toBe(true);
    expect(follows(forced, answer)).toBe(true);
    expect(parsed(forced, [...answer])).toEqual({ text: '', calls: [ROME] });
    for (const wrong of ['3', 'null', '"a name of more than twenty letters"']) {
      expect(follows(forced, answer.replace('"Rome"', wrong)), wrong).toBe(false);
    }
    expect(follows(forced, answer.replace('weather', 'whether'))).toBe(false);
    expect(follows(forced, 'No.')).toBe(false);
  });

  test('may be several, unless they are not to be parallel or one function is named', () => {
    const one = '\n{"name": "time", "arguments": {}}\n</tool_call>';
    const two = `${one}\n<tool_call>${one}`;
    expect(follows(use('hermes', 'required'), two)).toBe(true);
    expect(parsed(use('hermes', 'required'), [two]).calls.map(([, name]) => name)).toEqual(['time', 'time']);
    expect(
      follows(toolUse(template('hermes'), tokenizer, TOOLS, { choice: 'required', parallel: false }), two),
    ).toBe(false);
    const named = use('hermes', { type: 'function', function: { name: 'time' } });
    expect(follows(named, one)).toBe(true);
    expect(follows(named, two)).toBe(false);
    expect(follows(named, `\n${call('arguments')}\n</tool_call>`)).toBe(false);
  });

  test('of a function that there is none of is a usage error', () => {
    expect(() => use('hermes', { type: 'function', function: { name: 'x' } })).toThrow(
      'tool_choice: "x" is none of the tools: weather, time',
    );
  });

  test('of a schema that no grammar keeps to is an input error; a free one goes without a grammar', () => {
    const odd: Tool = { type: 'function', function: { name: 'odd', parameters: { type: 'nonsense' } } };
    expect(() => use('hermes', 'required', [odd])).toThrow(
      expect.objectContaining({ kind: inputError('', '').kind }),
    );
    expect(() => use('hermes', 'required', [odd])).toThrow('parameters of odd');
    expect(use('hermes', 'auto', [odd]).constraint()).toBeUndefined();
  });
});

describe('a call that the model opens itself', () => {
  /** Ids of a text; control tokens are read as such. */
  const ids = (text: string) => [...tokenizer.encode(text, { special: true })];

  test.each([
    ['hermes', 'Well. <tool_call>', '\n{"name": "time", "arguments": {}}\n</tool_call>'],
    ['mistral', 'Well. [TOOL_CALLS]', '[{"name": "time", "arguments": {}}]'],
  ] as const)(
    '%s: follows the grammar from its marker to its end, and is free around it',
    (family, before, after) => {
      const constraint = use(family).constraint();
      const end = tokenizer.eos ?? -1;
      const letter = (text: string) => tokenizer.encode(`|${text}`).at(-1) ?? -1;
      for (const id of ids(before)) {
        expect(constraint?.allows(id)).toBe(true);
        constraint?.accept(id);
      }
      expect(constraint?.allows(end)).toBe(false);
      expect(constraint?.allows(letter('x'))).toBe(false);
      for (const byte of new TextEncoder().encode(after)) {
        const id = tokenizer.tokenOf(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1;
        expect(constraint?.allows(id)).toBe(true);
        expect(constraint?.allowed().has(id)).toBe(true);
        constraint?.accept(id);
      }
      expect(constraint?.isOver).toBe(false);
      expect(constraint?.allows(end)).toBe(true);
      expect(constraint?.allows(letter('x'))).toBe(true);
    },
  );

  test('is free with Llama, where nothing marks its beginning', () => {
    expect(use('llama3').constraint()).toBeUndefined();
  });
});
