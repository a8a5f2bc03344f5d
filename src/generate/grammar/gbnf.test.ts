import { describe, expect, it } from 'vitest';
import { parseGbnf } from './gbnf.ts';
import { matcher } from './testing.cases.ts';

const accepts = (grammar: string) => matcher(parseGbnf(grammar));

describe('a GBNF grammar', () => {
  it.each<[string, string, readonly string[], readonly string[]]>([
    [
      'a literal with escapes',
      String.raw`root ::= "a\"\\\n\t\x41\u00e9\U0001F600"`,
      ['a"\\\n\tAé😀'],
      ['a', ''],
    ],
    ['alternatives, one of them empty', 'root ::= "a" | | "bc"', ['a', '', 'bc'], ['b', 'abc']],
    ['a class with ranges', 'root ::= [a-cx_]+', ['abcx_'], ['', 'd', 'A']],
    ['a hyphen at the edges of a class', 'root ::= [-a] [b-]', ['--', 'ab', '-b'], ['ba']],
    ['a negated class', String.raw`root ::= [^a-z\n]`, ['A', '1', 'é', '😀'], ['a', 'z', '\n', '']],
    ['escapes in a class', String.raw`root ::= [\[\]\\\x30-\x32]`, ['[', ']', '\\', '0', '2'], ['3', 'x']],
    [
      'characters of many bytes in a class',
      'root ::= [é-ü😀]',
      ['é', 'ë', 'ü', '😀'],
      ['è', 'ý', '😁', '\u00e9a'],
    ],
    ['any character', 'root ::= . .', ['ab', 'é\n', '😀😀'], ['a', 'abc']],
    ['optional', 'root ::= "a"? "b"', ['ab', 'b'], ['a', 'aab']],
    ['repetition of a group', 'root ::= ("a" | "bc")* "d"', ['d', 'abcad'], ['abd', 'ab']],
    ['{2}', 'root ::= "a"{2}', ['aa'], ['a', 'aaa']],
    ['{2,}', 'root ::= "a"{2,}', ['aa', 'aaaaa'], ['a']],
    ['{1,3}', 'root ::= [ab]{1,3}', ['a', 'ba', 'bab'], ['', 'aaaa']],
    ['{,2}', 'root ::= "a"{,2}', ['', 'aa'], ['aaa']],
    ['{0}', 'root ::= "a"{0} "b"', ['b'], ['ab']],
    ['repetition of what may be empty', 'root ::= ("a"? "b"?)* "c"', ['c', 'bac', 'abbaac'], ['', 'ad']],
    ['rules', 'root ::= x y x\nx ::= "1" | "2"\ny ::= [+-]', ['1+2', '2-2'], ['1+', '12']],
    ['recursion', 'root ::= "(" root ")" | ""', ['', '()', '((()))'], ['(', '(()', ')(', '()()']],
    ['recursion at the end', 'root ::= [0-9] root | ";"', [';', '123;'], ['123', '']],
    [
      'palindromes',
      'root ::= "a" root "a" | "b" root "b" | "a"? | "b"',
      ['', 'abba', 'ababa'],
      ['ab', 'abb'],
    ],
    ['rules that may be empty', 'root ::= e e "x" e\ne ::= "y"?', ['x', 'yyx', 'yxy'], ['yyyx', 'y']],
    [
      'comments, blank lines and rules on many lines',
      [
        '# a comment',
        '',
        'root ::= # why not',
        '  "a" # first',
        '  | (',
        '    "b" # inside',
        '    "c" | "d"',
        '  )',
        'x-1_Y ::= root',
      ].join('\r\n'),
      ['a', 'bc', 'd'],
      ['b', 'c'],
    ],
  ])('reads %s', (_, grammar, right, wrong) => {
    const matches = accepts(grammar);
    for (const text of right) expect([text, matches(text)]).toEqual([text, true]);
    for (const text of wrong) expect([text, matches(text)]).toEqual([text, false]);
  });

  it('reads arithmetic with precedence', () => {
    const matches = accepts(`
      root  ::= sum
      sum   ::= product ([+-] product)*
      product ::= factor ([*/] factor)*
      factor ::= [0-9]+ | "(" sum ")"`);
    for (const text of ['1', '1+2*3', '(1+2)*(3-(4/5))']) expect([text, matches(text)]).toEqual([text, true]);
    for (const text of ['', '1+', '(1', '1)', '+1', '1**2'])
      expect([text, matches(text)]).toEqual([text, false]);
  });

  it.each([
    ['root ::= "a', 'g:1:10: the literal is not closed: " is missing'],
    ['root ::= [a-', 'g:1:10: the character class is not closed: ] is missing'],
    ['root ::= [z-a]', 'g:1:10: a range of characters ends before it begins'],
    [String.raw`root ::= "é\q"`, String.raw`g:1:12: unknown escape "\\q"; known are \n \r \t`],
    [String.raw`root ::= "\ud800"`, 'g:1:11: U+D800 is no character'],
    ['root ::= ("a"\n| "b"', 'g:2:6: found the end, expected ")" for the "(" at 1:10'],
    ['root ::= a\n\nb ::= "x"', 'g:1:10: there is no rule "a"'],
    ['a ::= "x"', 'g: there is no rule "root"'],
    ['root ::= "a"\nroot ::= "b"', 'g:2:1: rule "root" stands here a second time'],
    ['root = "a"', 'g:1:6: found "=", expected "::="'],
    ['root ::= "a" )', 'g:1:14: found ")", expected a literal'],
    ['::= "a"', 'g:1:1: found ":", expected the name of a rule'],
    ['root ::= "a"{3,2}', 'g:1:13: the repetition {3,2} has its bounds the wrong way round'],
    ['root ::= "a"{}', 'g:1:13: a repetition is {m}, {m,}, {m,n} or {,n}'],
    ['root ::= "a"{99999}', 'g:1:13: a repetition of 99999 (of what begins at 1:10); 10000 is allowed'],
    ['root ::= <think>', 'g:1:10: tokens by name or id (<…>) cannot be used here'],
  ])('refuses %j', (grammar, message) => {
    expect(() => parseGbnf(grammar, 'g')).toThrow(message);
  });

  it.each([
    ['root ::= root "a" | "b"', 'g:1:1: rule "root" begins with itself: root → root'],
    [
      'root ::= "x" a\na ::= e b\nb ::= a "y" | "z"\ne ::= "q"?',
      'g:2:1: rule "a" begins with itself: a → b → a',
    ],
    ['root ::= ("a"? root)*', 'rule "root" begins with itself'],
    ['root ::= "a" root', 'g:1:1: rule "root" matches no text at all'],
    ['root ::= "a" | b\nb ::= "x" b', 'g:2:1: rule "b" matches no text at all'],
    ['root ::= []', 'rule "root" matches no text at all'],
  ])('refuses what could not be followed: %j', (grammar, message) => {
    expect(() => matcher(parseGbnf(grammar, 'g'))).toThrow(message);
  });
});

describe('a hostile grammar', () => {
  const seconds = (work: () => void): number => {
    const start = performance.now();
    work();
    return (performance.now() - start) / 1000;
  };

  it.each([
    ['brackets', `root ::= ${'('.repeat(1000)}`, 'more than 200 brackets inside each other'],
    [
      'repetitions of repetitions',
      `root ::= "a"${'*'.repeat(1000)}`,
      'more than 200 repetitions of one thing',
    ],
    ['a long text', `root ::= "${'a'.repeat(2 ** 20)}"`, '1048576 are allowed'],
    [
      'many rules',
      Array.from({ length: 10_001 }, (_, i) => `r${i} ::= "a"`).join('\n'),
      'more than 10000 rules',
    ],
    ['repetition of repetition', 'root ::= ("a"{9999}){9999}', 'more than 200000 states here'],
    ['what may be left out ten thousand times', 'root ::= ("a"?){10000}', 'too many ways'],
  ])('is refused: %s', (_, grammar, message) => {
    expect(seconds(() => expect(() => matcher(parseGbnf(grammar))('aaa')).toThrow(message))).toBeLessThan(60);
  });

  it('with exponentially many readings takes polynomial time', () => {
    // Catalan(300) readings of a^301; each state holds at most a way per place and rule.
    const matches = accepts('root ::= "a" | "a" root root');
    const ambiguous = accepts('root ::= x*\nx ::= "a" | "aa" | "a" x');
    const time = seconds(() => {
      expect(matches('a'.repeat(101))).toBe(true);
      expect(matches('a'.repeat(100))).toBe(false);
      expect(ambiguous('a'.repeat(300))).toBe(true);
    });
    expect(time).toBeLessThan(60);
  });

  it('thousands of rules deep is compiled without running out of stack', () => {
    const rules = Array.from({ length: 9000 }, (_, i) => `r${i} ::= r${i + 1}? "b"?`);
    const matches = accepts(['root ::= r0', ...rules, 'r9000 ::= "a"'].join('\n'));
    expect(matches('abb')).toBe(true);
    expect(matches('ba')).toBe(false);
  });
});
