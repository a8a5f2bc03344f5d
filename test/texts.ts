/** Random texts for tokenizers: scripts, emoji, marks, controls, white space and the texts of special tokens, mixed. */

/** Ranges of assigned characters (since Unicode 12 at the latest, so that all tables agree on them). */
const RANGES = {
  ascii: [[0x20, 0x7e]],
  digits: [
    [0x30, 0x39],
    [0xb2, 0xb3],
    [0x660, 0x669],
    [0x2160, 0x2188],
  ],
  latin: [[0xc0, 0x24f]],
  greek: [[0x3b1, 0x3c9]],
  cyrillic: [[0x400, 0x481]],
  semitic: [
    [0x5d0, 0x5ea],
    [0x620, 0x64a],
  ],
  indic: [
    [0x905, 0x939],
    [0x93e, 0x94d],
    [0xe01, 0xe3a],
  ],
  cjk: [
    [0x3041, 0x3096],
    [0x30a1, 0x30fa],
    [0x4e00, 0x9fa5],
    [0xac00, 0xd7a3],
    [0x20000, 0x200ff],
  ],
  emoji: [
    [0x1f300, 0x1f5ff],
    [0x1f600, 0x1f64f],
    [0x1f1e6, 0x1f1ff],
    [0x1f3fb, 0x1f3ff],
    [0x200d, 0x200d],
    [0xfe0f, 0xfe0f],
  ],
  marks: [
    [0x300, 0x36f],
    [0x483, 0x487],
    [0x20d0, 0x20e0],
  ],
  symbols: [
    [0xa1, 0xbf],
    [0x2010, 0x2027],
    [0x2030, 0x205e],
    [0x2200, 0x22ff],
    [0x3001, 0x3011],
    [0x2580, 0x259f],
  ],
  controls: [
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x200b, 0x200f],
    [0xfeff, 0xfeff],
    [0xfffd, 0xfffd],
    [0xe000, 0xe0ff],
  ],
  spaces: [
    [0x20, 0x20],
    [0x09, 0x0d],
    [0x85, 0x85],
    [0xa0, 0xa0],
    [0x2000, 0x200a],
    [0x2028, 0x2029],
    [0x3000, 0x3000],
  ],
} as const satisfies Record<string, readonly (readonly [number, number])[]>;

const WORDS = [
  'the',
  ' of',
  "I'm",
  "they'LL",
  ' x1y2',
  '3.14159',
  '\n\n',
  '    ',
  '\r\n',
  'GGUF',
  ' foo_bar',
  "'s",
];

type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)];

function run(random: Random, of: keyof typeof RANGES): string {
  let text = '';
  for (let left = 1 + Math.floor(random() ** 2 * 12); left > 0; left--) {
    const [from, to] = pick<readonly [number, number]>(random, RANGES[of]);
    text += String.fromCodePoint(from + Math.floor(random() * (to - from + 1)));
  }
  return text;
}

const NAMES = Object.keys(RANGES) as (keyof typeof RANGES)[];

/**
 * One text of 0 to some 100 characters.
 * @param specials texts of special tokens, mixed in now and then.
 */
export function randomText(random: Random, specials: readonly string[] = []): string {
  let text = '';
  for (let left = Math.floor(random() * 10); left > 0; left--) {
    const choice = random();
    if (choice < 0.25) text += pick(random, WORDS);
    else if (choice < 0.35 && specials.length > 0) text += pick(random, specials);
    else text += run(random, pick(random, NAMES));
  }
  return text;
}
