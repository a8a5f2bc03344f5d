/**
 * Tokenizing beside llama.cpp, one thread each, same file, same text, in one run; the ids are compared.
 *
 *   node bench/tokenize.mjs -m MODEL.gguf [-f TEXT] [--json]
 *
 * Texts: the file as it is, and without its white space (the worst case of merging), each in lengths that double up to
 * the whole. `first` is a fresh tokenizer, `again` one that remembers words; ns per character of the text.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openGguf } from '../dist/platform/index.js';
import { tokenizerOf } from '../dist/text/index.js';
import { loadOracle } from './oracle.mjs';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', short: 'm' },
    file: { type: 'string', short: 'f', default: '../shared/data/text/wikitext-2-valid.txt' },
    json: { type: 'boolean', default: false },
  },
});
if (!options.model) {
  console.error('usage: node bench/tokenize.mjs -m MODEL.gguf [-f TEXT] [--json]');
  process.exit(2);
}

/** Doublings up to the whole text. */
const STEPS = 5;
/** llama.cpp's pre-tokenizers overflow the stack on longer runs without spaces. */
const LONGEST_PEER_RUN = 50_000;

/** @returns ns per character, and the result. */
function timed(text, work) {
  const start = performance.now();
  const result = work();
  return { ns: (1e6 * (performance.now() - start)) / text.length, result };
}

function measure(file, peer, name, text) {
  const fresh = tokenizerOf(file);
  const first = timed(text, () => fresh.encode(text));
  const again = timed(text, () => fresh.encode(text));
  const compares = name === 'words' || text.length <= LONGEST_PEER_RUN;
  const theirs = compares && timed(text, () => peer.tokenize(text, { addSpecial: false }));
  const equal =
    theirs && Buffer.compare(Buffer.from(first.result.buffer), Buffer.from(theirs.result.buffer)) === 0;
  return {
    text: name,
    characters: text.length,
    tokens: first.result.length,
    first: first.ns,
    again: again.ns,
    peer: theirs ? theirs.ns : undefined,
    equal: theirs ? equal : undefined,
  };
}

const { Peer } = await loadOracle('llama.mjs');
const file = await openGguf(options.model);
const peer = Peer.open(options.model, { vocabOnly: true });
const whole = readFileSync(options.file, 'utf8');
measure(file, peer, 'words', whole.slice(0, 20_000)); // warms the compiler up
const rows = [];
for (const [name, text] of [
  ['words', whole],
  ['no spaces', whole.replaceAll(/\s/g, '')],
]) {
  for (let step = STEPS - 1; step >= 0; step--) {
    rows.push(measure(file, peer, name, text.slice(0, text.length >> step)));
  }
}
peer.close();
await file.close();

if (options.json) console.log(JSON.stringify(rows, null, 2));
else {
  console.log('text       characters   tokens  first ns  again ns  llama.cpp ns  same ids');
  for (const row of rows) {
    const peerText = row.peer === undefined ? '-' : row.peer.toFixed(0);
    console.log(
      `${row.text.padEnd(9)} ${String(row.characters).padStart(11)} ${String(row.tokens).padStart(8)}` +
        ` ${row.first.toFixed(0).padStart(9)} ${row.again.toFixed(0).padStart(9)} ${peerText.padStart(13)}` +
        `  ${row.equal ?? '-'}`,
    );
  }
}
