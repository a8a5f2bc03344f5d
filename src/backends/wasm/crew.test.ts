/** Threads of the engine: in step through many short commands, and never left hanging by one that stops. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type Dims, GraphBuilder } from '../../graph/index.ts';
import { spawnEngineThread } from '../../platform/index.ts';
import { type Backend, type Buffer, bytesOf, readF32, type Step } from '../backend.ts';
import { wasmBackend } from './backend.ts';
import type { SpawnThread } from './crew.ts';

const opened: Backend[] = [];
async function open(threads: number, spawn: SpawnThread = spawnEngineThread): Promise<Backend> {
  const backend = await wasmBackend({ threads, spawn });
  opened.push(backend);
  return backend;
}
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

const DIMS: Dims = { T: 1, S: 0, past: 0 };

/** A run that adds y to x [1, 4] `count` times, one command each: 1 + 2 count, 2 + 2 count, ... */
function additions(backend: Backend, count: number): { step: Step; out: Buffer } {
  const g = new GraphBuilder('additions');
  const y = g.input('y', 'T', 4);
  let x = g.input('x', 'T', 4);
  for (let i = 0; i < count; i++) x = g.add(x, y);
  g.output('out', x);
  const [bx, by, out] = ['x', 'y', 'out'].map((name) => backend.alloc(16, name));
  backend.write(bx, 0, bytesOf(Float32Array.of(1, 2, 3, 4)));
  backend.write(by, 0, bytesOf(Float32Array.of(2, 2, 2, 2)));
  const bind = new Map(Object.entries({ x: bx, y: by, out }));
  return { step: { program: backend.compile(g.build()), dims: DIMS, bind }, out };
}

/** A run whose only row does not exist. */
function missingRow(backend: Backend): Step {
  const g = new GraphBuilder('missing');
  g.output('out', g.rows(g.input('x', 'T', 4), g.input('select', 'S', 1, 'i32')));
  const names = ['x', 'select', 'out'];
  const bind = new Map(names.map((name) => [name, backend.alloc(16, name)]));
  backend.write(bind.get('select') as Buffer, 0, bytesOf(Int32Array.of(1)));
  return { program: backend.compile(g.build()), dims: { T: 1, S: 1, past: 0 }, bind };
}

test.each([1, 2, 3, 5])('%d threads keep step through 5000 short commands, three times', async (threads) => {
  const backend = await open(threads);
  const { step, out } = additions(backend, 100);
  for (let time = 0; time < 3; time++) {
    await backend.run(Array.from({ length: 50 }, () => step));
    expect([...(await readF32(backend, out, 4))]).toEqual([201, 202, 203, 204]);
  }
});

test('threads see memory that has grown since they started', async () => {
  const backend = await open(2);
  const first = additions(backend, 1);
  await backend.run([first.step]);
  backend.alloc(200 << 20, 'ballast');
  const { step, out } = additions(backend, 10);
  await backend.run([step]);
  expect([...(await readF32(backend, out, 4))]).toEqual([21, 22, 23, 24]);
});

test.each([1, 3])(
  'a kernel that traps on %d threads rejects the run; the next run works',
  async (threads) => {
    const backend = await open(threads);
    const good = additions(backend, 50);
    for (let time = 0; time < 5; time++) {
      await expect(backend.run([good.step, missingRow(backend), good.step])).rejects.toThrow(
        /engine thread \d: kernel rows stopped: a token, row or target that does not exist/,
      );
      await backend.run([good.step]);
      expect([...(await readF32(backend, good.out, 4))]).toEqual([101, 102, 103, 104]);
    }
  },
);

/** A thread that joins the crew and ends at its first work. */
const dying: SpawnThread = () => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     parentPort.on('message', ({ kind }) => {
       if (kind === 'join') parentPort.postMessage({});
       else throw new Error('out of memory');
     });`,
    { eval: true },
  );
  let cause = '';
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.on('message', handler),
    onDeath: (handler) => {
      worker.on('error', (error) => {
        cause = (error as Error).message;
      });
      worker.on('exit', () => handler(cause));
    },
    terminate: async () => {
      await worker.terminate();
    },
  };
};

test('a thread that dies rejects the run and those after it; no other thread waits for it', async () => {
  let count = 0;
  const backend = await open(3, () => (count++ === 1 ? dying() : spawnEngineThread()));
  const { step } = additions(backend, 100);
  await expect(backend.run([step])).rejects.toThrow('engine thread 1 died: out of memory');
  await expect(backend.run([step])).rejects.toThrow('engine thread 1 died: out of memory');
});

test('a thread that cannot start is an error of opening', async () => {
  const spawn: SpawnThread = () => ({
    ...spawnEngineThread(),
    onDeath: (handler) => handler('no such file'),
  });
  await expect(wasmBackend({ threads: 2, spawn })).rejects.toThrow('engine thread 0 died: no such file');
});

test('closing during a run rejects it, and a closed engine refuses work', async () => {
  const backend = await open(2);
  const { step } = additions(backend, 100);
  const running = backend.run(Array.from({ length: 1000 }, () => step));
  const refused = expect(running).rejects.toThrow('the engine was closed during a run');
  await backend.close();
  await refused;
  await expect(backend.run([step])).rejects.toThrow('the engine is closed');
});

test('two runs at once are refused', async () => {
  const backend = await open(2);
  const { step } = additions(backend, 100);
  const first = backend.run([step]);
  await expect(backend.run([step])).rejects.toThrow('one run at a time');
  await first;
});

test('threads that wait for work do not keep the process alive', () => {
  const dist = fileURLToPath(new URL('../../../dist/', import.meta.url));
  const script = `
    const { wasmBackend } = await import('${dist}backends/index.js');
    const { spawnEngineThread } = await import('${dist}platform/index.js');
    const backend = await wasmBackend({ threads: 2, spawn: spawnEngineThread });
    await backend.run([]);
    console.log('idle');`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ stdout, stderr, status }).toEqual({ stdout: 'idle\n', stderr: '', status: 0 });
});

test('no threads, or half a thread, is an error of usage', async () => {
  for (const threads of [0, 1.5, Number.NaN]) {
    await expect(wasmBackend({ threads, spawn: spawnEngineThread })).rejects.toThrow('at least 1 is needed');
  }
  await expect(wasmBackend({ threads: 2 })).rejects.toThrow('2 threads need a way to spawn them');
});

test('an engine on the calling thread refuses work once it is closed', async () => {
  const backend = await wasmBackend();
  const { step } = additions(backend, 1);
  await backend.close();
  await expect(backend.run([step])).rejects.toThrow('the engine is closed');
});
