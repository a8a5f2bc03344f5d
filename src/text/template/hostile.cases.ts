/** Templates that mean harm, and in which words they fail. Each must do so soon, and in little memory. */

interface Hostile {
  readonly source: string;
  readonly fails: string;
}

/** A text of 1.3 million characters, as `ns.x`. */
const TEN =
  "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(17) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";

export const HOSTILE: Readonly<Record<string, Hostile>> = {
  'loops in loops': {
    source: `{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a loop over more numbers than are made': {
    source: `{% for i in range(1000000000) %}{% endfor %}`,
    fails: 'at most 100000 numbers',
  },
  'a range without end': { source: `{{ range(1, 2, 0) }}`, fails: 'third of them not 0' },
  'a range of texts': { source: `{{ range('a') }}`, fails: 'whole numbers' },
  'a macro that calls itself': {
    source: `{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}`,
    fails: 'nests deeper than 250',
  },
  'a macro that calls itself twice': {
    source: `{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}`,
    fails: 'it takes more steps',
  },
  'a text that doubles': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'a text that doubles in a block': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'a text that doubles under a filter': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x %}{% filter upper %}{{ ns.x }}{{ ns.x }}{% endfilter %}{% endset %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'a list that holds itself twice': {
    source: `{% set ns = namespace(x=['a']) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}`,
    fails: 'it makes more than',
  },
  'a list that is joined to itself': {
    source: `{% set ns = namespace(x=['a']) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'a list, small in memory, written out again and again': {
    source: `{% set ns = namespace(x=['a']) %}{% for i in range(14) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{% for i in range(1000) %}{{ ns.x }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a list compared with a text': {
    source: `{% set ns = namespace(x=['a']) %}{% for i in range(14) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{% for i in range(9000) %}{{ ns.x == 'a' }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a list inside a list, on and on': {
    source: `{% set ns = namespace(x=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}`,
    fails: 'nest deeper than 128',
  },
  'a namespace inside itself': {
    source: `{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}`,
    fails: 'cannot stand inside',
  },
  'a namespace in a list inside itself': {
    source: `{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns | tojson }}`,
    fails: 'cannot stand inside',
  },
  'replace, by its method': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'replace, by its filter': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'replace, kept in a variable': {
    source: `{% set f = 'aaaaaaaaaa'.replace %}{% set ns = namespace(x='a') %}{% for i in range(100) %}{% set ns.x = f('a', ns.x) %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'replace with spread arguments': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x | replace(*['a', ns.x]) %}{% endfor %}`,
    fails: 'it makes more than',
  },
  'a search for much in much': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{% set b = ns.x[:100000] ~ 'b' %}{% for i in range(1000) %}{{ b in ns.x }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'replacing much in much': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(12) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{% set b = ns.x[:3000] ~ 'b' %}{% for i in range(1000) %}{{ ns.x | replace(b, '') | length }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'split into millions': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x.split('a') | length }}`,
    fails: 'it makes more than',
  },
  'a text cut into characters': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{% for i in range(100) %}{{ ns.x[::2] | length }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'long texts compared': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{% set y = ns.x ~ 'b' %}{% set z = ns.x ~ 'b' %}{% for i in range(9000) %}{{ y == z }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'join with a long separator': {
    source: `{{ range(100000) | join(range(1000) | join('aaaaaaaaaaaa')) }}`,
    fails: 'it makes more than',
  },
  'join of a text': {
    source: `{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(12) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x | join(ns.x) }}`,
    fails: 'it makes more than',
  },
  'indent by much': { source: `{{ 'a\\nb' | indent(500000000) }}`, fails: 'it makes more than' },
  'indent of many lines': {
    source: `{{ range(100000) | join('\\n') | indent(width=1000) }}`,
    fails: 'it makes more than',
  },
  'JSON with a wide indent': {
    source: `{{ [[[[1]]]] | tojson(indent=100000000) }}`,
    fails: 'it makes more than',
  },
  'JSON with long separators': {
    source: `{{ range(10000) | list | tojson(separators=('a' | indent(10000, true), 'b')) }}`,
    fails: 'it makes more than',
  },
  'sorting again and again': {
    source: `{% for i in range(1000) %}{{ range(100000) | sort | length }}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a macro defined in a loop': {
    source: `{% for i in range(100000) %}{% macro f() %}${'{{ x }}'.repeat(9000)}{% endmacro %}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a method asked for in a loop': {
    source: `{% for i in range(100000) %}${'{{ "a".b }}'.repeat(40)}{% endfor %}`,
    fails: 'it takes more steps',
  },
  'a large output': {
    source: `${TEN}{% for i in range(100000) %}{{ ns.x }}{% endfor %}`,
    fails: 'Invalid string length',
  },
  'brackets in brackets': {
    source: `{{ ${'('.repeat(100000)}1${')'.repeat(100000)} }}`,
    fails: 'Maximum call stack',
  },
  'a sum of many': { source: `{{ ${'1+'.repeat(100000)}1 }}`, fails: 'nests deeper than 250' },
  'many times not': { source: `{{ ${'not '.repeat(60000)}1 }}`, fails: 'Maximum call stack' },
  'blocks in blocks': { source: `${'{% if 1 %}'.repeat(20000)}`, fails: 'Maximum call stack' },
  'white space without end': {
    source: `${' '.repeat(200000)}`,
    fails: 'more than 300 characters of white space',
  },
  'a template without end': { source: `${'x'.repeat(300000)}`, fails: 'at most 262144 are read' },
  'a function of the host, made from text': {
    source: `{{ range.constructor('return 1')() }}`,
    fails: 'not a function',
  },
  'an exception with a function': { source: `{{ raise_exception(range) }}`, fails: 'it raises an exception' },
  'a tag that is not known': { source: `{% include 'x' %}`, fails: 'Unknown statement' },
};
