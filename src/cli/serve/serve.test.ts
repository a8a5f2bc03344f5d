/** Names, slots and settings of `bitmill serve`. */
import { describe, expect, it } from 'vitest';
import { openTinyModel } from '../../../test/tiny-models.ts';
import { referenceBackend } from '../../backends/index.ts';
import { Engine } from '../../generate/index.ts';
import { namedModels } from './names.ts';
import { type ServerFlags, serverPlan } from './settings.ts';
import { type Opener, planSlots } from './slots.ts';

const FLAGS: ServerFlags = {
  host: '127.0.0.1',
  port: '8080',
  cors: [],
  connect: [],
  allowHost: [],
  maxBody: '1MiB',
  requestSeconds: '600',
  idleSeconds: '60',
  drainSeconds: '60',
  web: false,
};
const silent = (): void => {};

describe('names of models', () => {
  it('are those of their files, unless they are given', () => {
    const models = namedModels([
      'folder/Phi-3-mini-Q4_K_M.gguf',
      'C:\\models\\small.GGUF',
      'shards/big-Q8_0-00001-of-00003.gguf',
      'phi3-tiny',
      'phi3-tiny:Q4_K_M',
      'https://host.example/a/b.gguf?download=true',
      'mine=folder/a=b.gguf',
      './x=y.gguf',
    ]);
    expect(models.map(({ id, model }) => [id, model])).toEqual([
      ['Phi-3-mini-Q4_K_M', 'folder/Phi-3-mini-Q4_K_M.gguf'],
      ['small', 'C:\\models\\small.GGUF'],
      ['big-Q8_0', 'shards/big-Q8_0-00001-of-00003.gguf'],
      ['phi3-tiny', 'phi3-tiny'],
      ['phi3-tiny:Q4_K_M', 'phi3-tiny:Q4_K_M'],
      ['b', 'https://host.example/a/b.gguf?download=true'],
      ['mine', 'folder/a=b.gguf'],
      ['x=y', './x=y.gguf'],
    ]);
  });

  it('belong to one model each', () => {
    expect(() => namedModels(['a/x.gguf', 'b/x.gguf'])).toThrow(
      'a/x.gguf and b/x.gguf would both be called x',
    );
    expect(namedModels(['a/x.gguf', 'y=b/x.gguf']).map(({ id }) => id)).toEqual(['x', 'y']);
  });
});

describe('slots', () => {
  const CONTEXT = 64;
  const open: Opener = ({ file, backend }, { sequences = 1 }) =>
    Engine.open(file, { backend, contextSize: CONTEXT, sequences });

  async function files(count: number) {
    const file = await openTinyModel('phi3');
    return Array.from({ length: count }, (_, i) => ({ id: `m${i}`, file, backend: referenceBackend() }));
  }

  it('are 16 where there is memory for them, and as many as fit where there is not', async () => {
    const two = await files(2);
    const all = await planSlots(two, undefined, Number.POSITIVE_INFINITY, open);
    expect(all.slots).toBe(16);
    expect(all.engines.map(({ sequences }) => sequences)).toEqual([16, 16]);
    const [seven] = await Promise.all([open(two[0], { sequences: 7 })]);
    const fitting = await planSlots(two, undefined, 2 * seven.residentBytes, open);
    expect(fitting.slots).toBe(7);
    expect(fitting.bytes).toBe(2 * seven.residentBytes);
    expect((await planSlots(two, undefined, 2 * seven.residentBytes - 1, open)).slots).toBe(6);
  });

  it('are as many as were asked for, or an error says what they need', async () => {
    const one = await files(1);
    expect((await planSlots(one, 20, Number.POSITIVE_INFINITY, open)).slots).toBe(20);
    const { residentBytes } = await open(one[0], { sequences: 1 });
    await expect(planSlots(one, 2, residentBytes, open)).rejects.toMatchObject({
      kind: 'resources',
      message: expect.stringMatching(/^m0: 2 slots of 64 positions need .* are there$/),
    });
    await expect(planSlots(one, undefined, residentBytes - 1, open)).rejects.toThrow(
      'm0: 1 slot of 64 positions',
    );
  });
});

describe('settings', () => {
  it('answer this machine alone: other hosts and origins are named one by one', async () => {
    const plan = await serverPlan(FLAGS, silent);
    expect(plan.hosts).toEqual([]);
    expect(plan.settings.corsOrigins).toEqual([]);
    const wider = await serverPlan(
      {
        ...FLAGS,
        allowHost: ['Chat.Example'],
        cors: ['https://chat.example/', 'app://chat'],
        connect: ['http://localhost:9000'],
      },
      silent,
    );
    expect(wider.hosts).toEqual(['chat.example']);
    expect(wider.settings.corsOrigins).toEqual(['https://chat.example', 'app://chat']);
    expect(wider.connect).toEqual(['http://localhost:9000']);
  });

  it.each(['0.0.0.0', '::', '192.168.1.2', 'my.lan'])('want a key or --insecure for %s', async (host) => {
    await expect(serverPlan({ ...FLAGS, host }, silent)).rejects.toMatchObject({ kind: 'usage' });
    const warnings: string[] = [];
    const plan = await serverPlan({ ...FLAGS, host, insecure: true }, (message) => warnings.push(message));
    expect(warnings).toEqual([`anybody who reaches ${host} can use the models: there is no --api-key-file`]);
    expect(plan.hosts).toBeUndefined();
  });

  it('say that pages of any site may ask, where no key keeps them from it', async () => {
    const warnings: string[] = [];
    await serverPlan({ ...FLAGS, cors: ['*'] }, (message) => warnings.push(message));
    expect(warnings).toEqual(['pages of any site can use the models: --cors * without --api-key-file']);
  });

  it.each(['127.0.0.1', '::1', 'localhost', '127.9.9.9'])('want none for %s', async (host) => {
    expect((await serverPlan({ ...FLAGS, host }, silent)).hosts).toEqual([]);
  });

  it.each([
    'chat.example',
    'https://a.example/x',
    'https://',
    'http://user@a.example',
    '* *',
    "https://a; script-src 'x'",
  ])('take no origin like %j', async (text) => {
    await expect(serverPlan({ ...FLAGS, cors: [text] }, silent)).rejects.toThrow('is no origin');
    await expect(serverPlan({ ...FLAGS, connect: [text] }, silent)).rejects.toThrow('is no origin');
  });
});
