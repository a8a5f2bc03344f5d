/**
 * Many streams on one model against one: tokens a second of all together, how evenly they are shared, and whether each
 * says what it says alone.
 */
import { chat, startServer } from './serve-child.mjs';

const THINGS = [
  'a lighthouse',
  'a clock',
  'a river',
  'an old map',
  'a violin',
  'a garden',
  'a train',
  'a letter',
];
const WHOS = ['a fox', 'a baker', 'two sisters', 'a sailor', 'a robot', 'a teacher', 'an owl', 'a painter'];

/** Prompts that differ from the beginning, so that none is found in the cache of another. */
function prompt(number) {
  const who = WHOS[number % WHOS.length];
  const thing = THINGS[Math.floor(number / WHOS.length) % THINGS.length];
  return `Number ${number}: write a long story about ${who} and ${thing}.`;
}

/**
 * Streams that go on for a time; one that ends begins again, and all leave when the time is over. The time begins when
 * all of them have a first token.
 * @returns tokens of each stream, and tokens a second of all.
 */
async function timed({ port, model }, streams, seconds, from) {
  const tokens = new Array(streams).fill(0);
  const begun = new Set();
  let end = Number.POSITIVE_INFINITY;
  let next = from;
  const one = async (stream) => {
    const onText = (count, response) => {
      if (begun.size === streams) tokens[stream] += count;
      else if (begun.add(stream).size === streams) end = performance.now() + 1000 * seconds;
      if (performance.now() >= end) response.destroy();
    };
    while (performance.now() < end) {
      await chat(port, model, prompt(next++), { stream: true, max_tokens: 400, onText });
    }
  };
  await Promise.all(tokens.map((_, stream) => one(stream)));
  return { tokens, rate: tokens.reduce((a, b) => a + b, 0) / seconds };
}

/** The same answers at once and one after the other. */
async function sameTexts({ port, model }, streams, length) {
  const numbers = Array.from({ length: streams }, (_, i) => 1000 + i);
  const ask = (number) => chat(port, model, prompt(number), { stream: true, max_tokens: length });
  const start = performance.now();
  const together = await Promise.all(numbers.map(ask));
  const between = performance.now();
  const alone = [];
  for (const number of numbers) alone.push(await ask(number));
  const count = (answers) => answers.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    together: count(together) / ((between - start) / 1000),
    alone: count(alone) / ((performance.now() - between) / 1000),
    lost: together.filter(({ whole }) => !whole).length,
    differing: numbers.flatMap((number, i) =>
      together[i].text === alone[i].text
        ? []
        : [{ prompt: prompt(number), together: together[i].text, alone: alone[i].text }],
    ),
  };
}

/** Mean tokens of the server's runs while something is done, and what a token of them took of the cores, ms. */
async function withBatch({ metrics, cpu }, work) {
  const before = await metrics();
  const start = cpu();
  const result = await work();
  const after = await metrics();
  const [tokens, runs] = ['bitmill_run_tokens_total', 'bitmill_runs_total'].map(
    (name) => after[name] - before[name],
  );
  return { ...result, batch: tokens / runs, runs, cpu: (1000 * (cpu() - start)) / tokens };
}

/** @param options `model`, `streams`, `seconds` of each timed part, `tokens` of an answer to compare, `args` of the server. */
export async function compareStreams({ model, streams, seconds, tokens, args = [] }) {
  const server = await startServer(['-m', model, '--slots', String(streams), ...args]);
  try {
    await chat(server.port, server.model, 'Hello.', { max_tokens: 8 });
    const texts = await sameTexts(server, streams, tokens);
    const one = await withBatch(server, () => timed(server, 1, seconds, 2000));
    const many = await withBatch(server, () => timed(server, streams, seconds, 3000));
    const [least, most] = [Math.min(...many.tokens), Math.max(...many.tokens)];
    return { texts, one, many, ratio: many.rate / one.rate, least, most };
  } finally {
    await server.stop();
  }
}
