/** `bitmill imatrix` as a user runs it: texts, weights, kills, merging, show, and what is wrong told in one line. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImportanceMatrix, readImportanceMatrix } from '../src/imatrix/index.ts';
import { openFile } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';
import { uniform } from './random.ts';

const BIN = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const CHECKPOINTS = fileURLToPath(new URL('fixtures/tiny-models/', import.meta.url));
const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-imatrix-'));
const at = (name: string): string => path.join(ROOT, name);
afterAll(() => rmSync(ROOT, { recursive: true }));

const MODEL = at('tiny.gguf');
/** The options of all runs here. */
const RUN = ['imatrix', '-m', MODEL, '-c', '32', '--threads', '1'];

beforeAll(() => {
  bitmill(['convert', path.join(CHECKPOINTS, 'phi3'), '-o', MODEL, '--dtype', 'f32']);
  bitmill(['convert', path.join(CHECKPOINTS, 'llama-gqa-tied'), '-o', at('other.gguf'), '--dtype', 'f32']);
  writeFileSync(at('a.txt'), 'The quick brown fox jumps over the lazy dog.\n'.repeat(200));
  writeFileSync(at('b.txt'), 'One two three four five six seven eight nine ten.\n'.repeat(200));
  const random = uniform(3);
  writeFileSync(at('ids.txt'), Array.from({ length: 100 }, () => Math.floor(random() * 272)).join(' '));
});

async function read(file: string): Promise<ImportanceMatrix> {
  const source = await openFile(at(file));
  try {
    return await readImportanceMatrix(source);
  } finally {
    await source.close();
  }
}

/** Runs and demands success. */
function done(...args: readonly string[]): { stdout: string; stderr: string } {
  const { code, stdout, stderr } = bitmill(args);
  expect(stderr).not.toContain('error:');
  expect(code).toBe(0);
  return { stdout, stderr };
}

test('a text becomes an importance matrix, its perplexity is told on the way and at the end', async () => {
  const { stdout, stderr } = done(...RUN, '-f', at('a.txt'), '--chunks', '3', '-o', at('a.gguf'));
  expect(stderr).toMatch(/^\[1\][\d.]+,\[2\][\d.]+,\[3\][\d.]+,\n8 entries from 3 chunks in .* s: /);
  // 15 of 32 tokens are scored: those after the first 16, the last excepted.
  expect(stdout).toMatch(/^perplexity [\d.]+ ± [\d.]+ over 45 tokens\n$/);
  const { entries, datasets, chunkCount, chunkSize } = await read('a.gguf');
  expect({ datasets, chunkCount, chunkSize }).toEqual({ datasets: ['a.txt'], chunkCount: 3, chunkSize: 32 });
  expect(entries.get('blk.1.ffn_down.weight')?.counts).toEqual(Float32Array.of(96));
});

test('an f16 conversion of a bf16 checkpoint is warned of, the bf16 one is not', () => {
  const warnings = ['f16', 'bf16'].map((dtype) => {
    const model = at(`${dtype}.gguf`);
    done('convert', path.join(CHECKPOINTS, 'phi3'), '-o', model, '--dtype', dtype);
    const args = [
      'imatrix',
      '-m',
      model,
      '-c',
      '32',
      '--tokens',
      at('ids.txt'),
      '-o',
      at('w.gguf'),
      '--no-ppl',
    ];
    return /warning: .*/.exec(done(...args).stderr)?.[0];
  });
  expect(warnings[0]).toMatch(
    /^warning: f16\.gguf is an f16 conversion of a bf16 checkpoint.*; convert the checkpoint to bf16 or f32 instead/,
  );
  expect(warnings[1]).toBeUndefined();
});

test('--json prints one object', () => {
  const { stdout } = done(...RUN, '-f', at('a.txt'), '--chunks', '2', '-o', at('j.gguf'), '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    file: at('j.gguf'),
    form: 'gguf',
    entries: 8,
    chunks: 2,
    chunk_size: 32,
    datasets: ['a.txt'],
    ppl_tokens: 30,
    resumed_chunks: 0,
  });
});

test('without -o the output has the name of the model; without --ppl none is printed', () => {
  const folder = mkdtempSync(path.join(ROOT, 'cwd-'));
  const child = spawn(process.execPath, [BIN, ...RUN, '-f', at('a.txt'), '--chunks', '1', '--no-ppl'], {
    cwd: folder,
  });
  return new Promise<void>((resolve) => {
    let out = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.on('close', () => {
      expect(out).toBe('');
      expect(existsSync(path.join(folder, 'tiny.imatrix.gguf'))).toBe(true);
      resolve();
    });
  });
});

test('with the least memory, which means layer by layer, and with more threads: the same bytes', () => {
  const run = (output: string, ...more: readonly string[]) =>
    bitmill([...RUN, '-f', at('a.txt'), '--chunks', '5', '-o', at(output), ...more]);
  const least = /needs at least (\d+) bytes/.exec(run('x.gguf', '--memory', '1').stderr)?.[1] ?? '';
  expect(Number(least)).toBeGreaterThan(0);
  const settings = [[], ['--memory', least], ['--threads', '2', '--save-every', '0'], ['--save-every', '2']];
  const files = settings.map((more, i) => {
    expect(run(`same${i}.gguf`, ...more).code).toBe(0);
    return readFileSync(at(`same${i}.gguf`));
  });
  for (const file of files) expect(file).toEqual(files[0]);
});

test('a weight of 3 counts as much as the text three times; both texts are named', async () => {
  const limit = ['--chunks', '2', '--no-ppl'];
  const [a, b] = [at('a.txt'), at('b.txt')];
  done(...RUN, '-f', a, '-f', `${b}=3`, ...limit, '-o', at('weighted.gguf'));
  done(...RUN, '-f', a, '-f', b, '-f', b, '-f', b, ...limit, '-o', at('repeated.gguf'));
  const [weighted, repeated] = [await read('weighted.gguf'), await read('repeated.gguf')];
  expect(weighted.datasets).toEqual(['a.txt', 'b.txt']);
  for (const [name, { sums, counts }] of weighted.entries) {
    const other = repeated.entries.get(name);
    expect(other?.counts).toEqual(counts);
    // The order of additions differs: one unit in the last place of f32.
    sums.forEach((sum, i) => {
      expect(Math.abs((other?.sums[i] ?? 0) / sum - 1)).toBeLessThan(2 ** -22);
    });
  }
});

test('token ids are taken as they are, 100 of them as three chunks of 32', async () => {
  done(...RUN, '--tokens', at('ids.txt'), '-o', at('ids.gguf'));
  expect((await read('ids.gguf')).chunkCount).toBe(3);
});

describe('chats', () => {
  const CHAT = at('chat.gguf');

  beforeAll(() => {
    cpSync(path.join(CHECKPOINTS, 'phi3'), at('chat'), { recursive: true });
    const config = path.join(at('chat'), 'tokenizer_config.json');
    const template = '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
    const known = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...known, chat_template: template }));
    done('convert', at('chat'), '-o', CHAT, '--dtype', 'f32');
    const said = 'Name the days of the week, please.';
    const messages = [
      { role: 'user', content: said },
      { role: 'assistant', content: 'Monday, Tuesday.' },
    ];
    writeFileSync(at('chats.jsonl'), `${JSON.stringify(messages)}\n${JSON.stringify({ messages })}\n`);
    writeFileSync(at('rendered.txt'), `user: ${said}\nassistant: Monday, Tuesday.\n`.repeat(2));
    writeFileSync(at('bad.jsonl'), '[{"role": "user", "content": "x"}]\n{"text": "y"}\n');
  });

  const run = (...args: readonly string[]) =>
    bitmill(['imatrix', '-m', CHAT, '-c', '32', '--no-ppl', ...args]);

  test('are rendered through the template of the model', async () => {
    expect(run('--chat', at('chats.jsonl'), '-o', at('chat.imatrix.gguf')).stderr).not.toContain('error');
    expect(run('-f', at('rendered.txt'), '-o', at('text.imatrix.gguf')).stderr).not.toContain('error');
    const [chat, text] = [await read('chat.imatrix.gguf'), await read('text.imatrix.gguf')];
    expect(chat.datasets).toEqual(['chats.jsonl']);
    expect(chat.chunkCount).toBeGreaterThan(2);
    expect(chat.chunkCount).toBe(text.chunkCount);
  });

  test('that are malformed are an error at their line', () => {
    const { code, stderr } = run('--chat', at('bad.jsonl'), '-o', at('x.gguf'));
    expect(code).toBe(3);
    expect(stderr).toContain('bad.jsonl:2: is no chat');
  });

  test('need a model with a template', () => {
    const { code, stderr } = bitmill([...RUN, '--chat', at('chats.jsonl'), '-o', at('x.gguf')]);
    expect(code).toBe(3);
    expect(stderr).toContain('has no chat template');
  });
});

test('--from goes on from another file: two halves are the whole', async () => {
  const text = ['-f', at('a.txt'), '--no-ppl'];
  done(...RUN, ...text, '--chunks', '2', '-o', at('first.gguf'));
  done(...RUN, ...text, '--skip', '2', '--chunks', '2', '--from', at('first.gguf'), '-o', at('second.gguf'));
  done(...RUN, ...text, '--chunks', '4', '-o', at('whole.gguf'));
  const [halves, whole] = [await read('second.gguf'), await read('whole.gguf')];
  expect(halves).toMatchObject({ chunkCount: 4, datasets: ['a.txt'] });
  for (const [name, { sums, counts }] of whole.entries) {
    const other = halves.entries.get(name);
    expect(other?.counts).toEqual(counts);
    // The first half was rounded to f32 in between.
    sums.forEach((sum, i) => {
      expect(Math.abs((other?.sums[i] ?? 0) / sum - 1)).toBeLessThan(2 ** -22);
    });
  }
});

test('--from alone merges and converts, without a model', async () => {
  done(...RUN, '-f', at('a.txt'), '--chunks', '2', '--no-ppl', '-o', at('m1.gguf'));
  done(...RUN, '-f', at('b.txt'), '--chunks', '1', '--no-ppl', '-o', at('m2.gguf'));
  done('imatrix', '--from', at('m1.gguf'), '--from', at('m2.gguf'), '-o', at('both.gguf'));
  const both = await read('both.gguf');
  expect(both).toMatchObject({ chunkCount: 3, datasets: ['a.txt', 'b.txt'] });
  expect(both.entries.get('blk.0.ffn_up.weight')?.counts).toEqual(Float32Array.of(96));
  done('imatrix', '--from', at('both.gguf'), '-o', at('both.dat'));
  expect((await read('both.dat')).form).toBe('dat');
  done('imatrix', '--from', at('both.dat'), '-o', at('odd.dat'), '--format', 'gguf');
  expect((await read('odd.dat')).form).toBe('gguf');
});

describe('a run that is killed', () => {
  const text = ['-f', '', '--save-every', '2', '--chunks', '200'];
  const killed = [...RUN, ...text];

  /** Kills the command as soon as its partial file has been there for a while. @returns what it said. */
  function kill(output: string, after: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<string> {
    const child = spawn(process.execPath, [BIN, ...killed, '-o', output], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    let since: number | undefined;
    const watch = setInterval(() => {
      since ??= existsSync(`${output}.partial.gguf`) ? Date.now() : undefined;
      if (since !== undefined && Date.now() - since >= after) child.kill(signal);
    }, 2);
    return new Promise((resolve) => {
      child.on('close', () => {
        clearInterval(watch);
        resolve(said);
      });
    });
  }

  beforeAll(() => {
    killed[killed.indexOf('')] = at('a.txt');
  });

  test('goes on when it is started again, killed twice, and ends in the bytes of an undisturbed one', async () => {
    done(...killed, '-o', at('calm.gguf'));
    const output = at('killed.gguf');
    await kill(output, 20);
    expect(existsSync(output)).toBe(false);
    // What is there so far is an importance matrix.
    expect((await read('killed.gguf.partial.gguf')).chunkCount).toBeGreaterThan(0);
    await kill(output, 20);
    const { stdout } = done(...killed, '-o', output, '--json');
    expect(JSON.parse(stdout).resumed_chunks).toBeGreaterThan(0);
    expect(readFileSync(output)).toEqual(readFileSync(at('calm.gguf')));
    expect(existsSync(`${output}.partial.gguf`)).toBe(false);
  });

  test('by Ctrl-C says how to go on', async () => {
    const output = at('stopped.gguf');
    expect(await kill(output, 0, 'SIGINT')).toMatch(
      /\nstopped; the same command goes on after chunk \d+ \(\S+stopped\.gguf\.partial\.gguf\)\n$/,
    );
  });

  test('is not mixed with another: the error says what differs, --restart starts afresh', async () => {
    const output = at('mixed.gguf');
    await kill(output, 0);
    const other = bitmill([...RUN, '-f', at('b.txt'), '--chunks', '200', '-o', output]);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('mixed.gguf.partial.gguf: was left by a run with other texts');
    const settings = bitmill([...killed, '--process-output', '-o', output]);
    expect(settings.stderr).toContain('was left by a run with other settings');
    const { stdout } = done(...RUN, '-f', at('b.txt'), '--chunks', '1', '-o', output, '--restart', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ resumed_chunks: 0, chunks: 1 });
  });
});

describe('bad input ends in one clear error', () => {
  beforeAll(() => {
    writeFileSync(at('short.txt'), 'Hi.');
    writeFileSync(at('empty.txt'), '\n');
    writeFileSync(at('latin1.txt'), Buffer.from('caf\xe9 au lait '.repeat(50), 'latin1'));
    writeFileSync(at('words.txt'), '1 2\nthree');
    writeFileSync(at('far.txt'), '999 '.repeat(40));
    const other = ['imatrix', '-m', at('other.gguf'), '-c', '32', '--threads', '1', '--no-ppl'];
    bitmill([...other, '--tokens', at('ids.txt'), '-o', at('other.imatrix.gguf')]);
  });

  test.each([
    ['no text', [], 2, 'no text named'],
    ['a short text', ['-f', 'short.txt'], 3, /short\.txt: has \d+ tokens, one chunk needs 32/],
    ['an empty text', ['-f', 'empty.txt'], 3, 'empty.txt: is empty'],
    ['a missing text', ['-f', 'none.txt'], 3, 'none.txt: no such file'],
    ['a text that is not UTF-8', ['-f', 'latin1.txt'], 3, 'latin1.txt, byte 3: is not UTF-8'],
    ['a weight of 0', ['-f', 'a.txt=0'], 2, 'the weight "0" is no number above 0'],
    ['a weight that is none', ['-f', 'a.txt=much'], 2, 'the weight "much" is no number above 0'],
    ['a word among ids', ['--tokens', 'words.txt'], 3, 'words.txt:2: "three" is no token id'],
    [
      'an id that the model lacks',
      ['--tokens', 'far.txt'],
      3,
      'has 272 tokens, the text has the token id 999',
    ],
    ['no chunks', ['-f', 'a.txt', '--chunks', '0'], 2, '--chunks 0: 1 to'],
    ['all chunks skipped', ['-f', 'short.txt', '-c', '2', '--skip', '90'], 3, '--skip 90 leaves none'],
    ['a chunk of one token', ['-f', 'a.txt', '-c', '1'], 2, '-c 1: 2 to'],
    ['an unknown form', ['-f', 'a.txt', '--format', 'npz'], 2, '--format npz: known are gguf, dat'],
    [
      'an imatrix of another model',
      ['-f', 'a.txt', '--from', 'other.imatrix.gguf'],
      3,
      'does not fit the model:',
    ],
    ['a model as imatrix', ['-f', 'a.txt', '--from', 'tiny.gguf'], 3, 'not an importance matrix'],
    ['the model as output', ['-f', 'a.txt', '-o', 'tiny.gguf'], 2, 'is an input itself'],
  ])('%s', (_, args, exit, message) => {
    const names = args.map((arg) => (/\.(txt|gguf)(=|$)/.test(arg) ? at(arg) : arg));
    const output = args.includes('-o') ? [] : ['-o', at('bad.gguf')];
    const { code, stderr, stdout } = bitmill([...RUN, ...names, ...output]);
    expect(stderr).toMatch(message);
    expect(stderr.match(/error:/g)).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  });

  test('entries that only one of two merged files has are told', () => {
    done(...RUN, '-f', at('a.txt'), '--chunks', '1', '--no-ppl', '-o', at('own.gguf'));
    const args = [
      'imatrix',
      '--from',
      at('own.gguf'),
      '--from',
      at('other.imatrix.gguf'),
      '-o',
      at('x.gguf'),
    ];
    expect(done(...args).stderr).toContain('warning: blk.0.attn_qkv.weight is in only one of ');
  });

  test('a damaged partial file is not gone on from', () => {
    writeFileSync(at('torn.gguf.partial.gguf'), readFileSync(at('ids.txt')));
    const { code, stderr } = bitmill([...RUN, '-f', at('a.txt'), '--chunks', '1', '-o', at('torn.gguf')]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/torn\.gguf\.partial\.gguf.*\nhint: --restart throws it away/);
  });

  test('an output that cannot be written is one error', () => {
    const { code, stderr } = bitmill([...RUN, '-f', at('a.txt'), '--chunks', '1', '-o', '/dev/full/x.gguf']);
    expect(code).toBe(3);
    expect(stderr).toContain('is not a folder');
  });
});

describe('imatrix show', () => {
  beforeAll(() => {
    done(...RUN, '-f', at('a.txt'), '--chunks', '4', '--no-ppl', '-o', at('show.gguf'));
  });

  test('prints a table of tensors and one of layers', () => {
    const { stdout } = done('imatrix', 'show', at('show.gguf'));
    expect(stdout).toMatch(
      /^file +\S+show\.gguf \(gguf\)\nentries +8\nchunks +4 of 32 tokens\ntexts +a\.txt\n/,
    );
    expect(stdout).toMatch(/\nblk\.1\.ffn_down +32 /);
    expect(stdout).toMatch(/\nlayer +N +mean/);
  });

  test('--sort and --top choose the rows, --columns the listed columns; JSON has no undefined', () => {
    const args = [
      'imatrix',
      'show',
      at('show.gguf'),
      '--json',
      '--sort',
      'sum',
      '--top',
      '3',
      '--columns',
      '2',
    ];
    const { tensors, layers } = JSON.parse(done(...args).stdout) as {
      tensors: { sum: number; cosine: number | null; top: { mean_square: number }[] }[];
      layers: unknown[];
    };
    expect(tensors).toHaveLength(3);
    expect(layers).toHaveLength(2);
    expect(tensors[0].sum).toBeGreaterThanOrEqual(tensors[1].sum);
    for (const { cosine, top } of tensors) {
      expect(cosine).not.toBeUndefined();
      expect(top).toHaveLength(2);
    }
  });

  test('draws the heat map as SVG with every tensor, and as PNG', () => {
    done('imatrix', 'show', at('show.gguf'), '--svg', at('map.svg'), '--png', at('map.png'));
    const svg = readFileSync(at('map.svg'), 'utf8');
    for (const text of [
      'show.gguf',
      'attn_qkv',
      'attn_output',
      'ffn_up',
      'ffn_down',
      '4 chunks of 32 tokens',
    ]) {
      expect(svg).toContain(text);
    }
    // 2 maps x 2 layers x 4 tensors.
    expect(svg.match(/aria-roledescription="rect mark"/g)).toHaveLength(16);
    const png = readFileSync(at('map.png'));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // Twice the size of the SVG.
    expect(png.readUInt32BE(16)).toBe(2 * Number(/width="(\d+)"/.exec(svg)?.[1]));
  });

  test('an unknown order is an error that lists the known ones', () => {
    const { code, stderr } = bitmill(['imatrix', 'show', at('show.gguf'), '--sort', 'beauty']);
    expect(code).toBe(2);
    expect(stderr).toContain('--sort beauty: known are layer, name, sum');
  });
});
