/**
 * Tokens a second beside wllama's, llama.cpp compiled to WebAssembly: it runs in headless Chromium on a page that is
 * cross-origin isolated (threads need that), ours in Node, each by itself, in rounds that alternate.
 *
 *   npm i --no-save @wllama/wllama
 *   node bench/wllama.mjs MODEL.gguf… [--threads 1,2] [--words 160] [--generate 16] [--rounds 2] [--wllama DIR] [--json]
 *
 * Models need a tokenizer, as wllama takes text; the prompt is `words` words long, and ours gets as many tokens as wllama
 * counted. wllama's figures are its own timings. The best round of each side counts; ratios are ours / wllama's.
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHROMIUM = process.env.BITMILL_CHROMIUM ?? '/usr/bin/chromium';

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1,2' },
    words: { type: 'string', default: '160' },
    generate: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '2' },
    wllama: { type: 'string', default: path.join(ROOT, 'node_modules/@wllama/wllama') },
    json: { type: 'boolean', default: false },
  },
});
const missing =
  models.length === 0
    ? 'usage: node bench/wllama.mjs MODEL.gguf… [--threads 1,2] [--words 160] [--generate 16]'
    : [path.join(options.wllama, 'esm/index.js'), CHROMIUM, ...models]
        .filter((file) => !existsSync(file))
        .map((file) => `${file} is missing`)
        .join('\n');
if (missing) {
  console.error(missing);
  process.exit(2);
}

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const PAGE = `<!doctype html><title>loading</title><script type="module">
import { Wllama } from '/wllama/index.js';
globalThis.Wllama = Wllama;
document.title = 'ready';
</script>`;

/** The page, wllama's files under /wllama/ and the models under /model/<index>, cross-origin isolated. */
function serve() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const headers = {
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    };
    if (pathname === '/')
      return void response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(PAGE);
    const model = /^\/model\/(\d+)$/.exec(pathname);
    const esm = path.join(options.wllama, 'esm');
    const file = model
      ? models[Number(model[1])]
      : path.join(esm, path.normalize(pathname.replace(/^\/wllama/, '')));
    if (!file || !existsSync(file)) return void response.writeHead(404, headers).end();
    const type = TYPES[path.extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...headers, 'content-type': type, 'content-length': statSync(file).size });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** In the page: loads a model and completes the prompt, once to warm up and once for the figures. */
async function completeInPage({ model, threads, prompt, generate }) {
  const wllama = new globalThis.Wllama({ default: '/wllama/wasm/wllama.wasm' });
  const blob = await (await fetch(model)).blob();
  await wllama.loadModel([blob], { n_threads: threads, n_ctx: 1024, n_gpu_layers: 0, warmup: false });
  const complete = (text, max_tokens) =>
    wllama.createCompletion({
      prompt: text,
      max_tokens,
      temperature: 0,
      ignore_eos: true,
      cache_prompt: false,
    });
  await complete('A short text, to warm up.', 2);
  const { timings } = await complete(prompt, generate);
  const used = wllama.getNumThreads();
  await wllama.exit();
  return { ...timings, threads: used };
}

async function theirs(page, index, threads) {
  const prompt = Array.from({ length: Number(options.words) }, (_, i) => `word${i % 10}`).join(' ');
  const argument = { model: `/model/${index}`, threads, prompt, generate: Number(options.generate) };
  const timings = await page.evaluate(completeInPage, argument);
  if (timings.threads !== threads) throw new Error(`wllama took ${timings.threads} threads, not ${threads}`);
  return {
    prompt_tokens: timings.prompt_n,
    prompt_tps: timings.prompt_per_second,
    gen_tps: timings.predicted_per_second,
  };
}

function ours(model, threads, prompt) {
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      path.join(ROOT, 'bin/bitmill.mjs'),
      ...['bench', '-m', model, '-t', String(threads), '-p', String(prompt), '-n', options.generate],
      ...['--reps', '1', '--json'],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Error(`bitmill bench exited with ${status}`);
  return JSON.parse(stdout);
}

async function compare(page, index, threads) {
  const best = { ours: { prompt_tps: 0, gen_tps: 0 }, wllama: { prompt_tps: 0, gen_tps: 0 } };
  let tokens = 0;
  for (let round = 0; round < Number(options.rounds); round++) {
    const wllama = await theirs(page, index, threads);
    tokens = wllama.prompt_tokens;
    for (const [name, found] of Object.entries({ wllama, ours: ours(models[index], threads, tokens) })) {
      for (const key of ['prompt_tps', 'gen_tps']) best[name][key] = Math.max(best[name][key], found[key]);
    }
  }
  const ratio = {
    prompt: best.ours.prompt_tps / best.wllama.prompt_tps,
    generation: best.ours.gen_tps / best.wllama.gen_tps,
  };
  return { model: models[index], threads, prompt_tokens: tokens, ...best, ratio };
}

const server = await serve();
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
const rows = [];
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => document.title === 'ready');
  if (!options.json) {
    console.log(`load ${os.loadavg()[0].toFixed(1)}; tokens a second`);
    console.log('model                     t tokens   prompt  wllama  ratio generate  wllama  ratio');
  }
  for (const index of models.keys()) {
    for (const threads of options.threads.split(',').map(Number)) {
      const row = await compare(page, index, threads);
      rows.push(row);
      if (options.json) continue;
      const cell = (value, width = 8) => value.toFixed(2).padStart(width);
      const pair = (key, name) => `${cell(row.ours[key])}${cell(row.wllama[key])}${cell(row.ratio[name], 7)}`;
      console.log(
        `${path.basename(row.model).padEnd(24)} ${String(threads).padStart(2)} ${String(row.prompt_tokens).padStart(6)} ` +
          `${pair('prompt_tps', 'prompt')} ${pair('gen_tps', 'generation')}`,
      );
    }
  }
} finally {
  await browser.close();
  server.close();
}
if (options.json) console.log(JSON.stringify(rows, null, 2));
