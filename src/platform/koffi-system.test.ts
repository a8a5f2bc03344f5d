/** The operating system through koffi, seen from outside: /proc/self says what memory and threads really are. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Assembler, mem, rax, rdi, rsi } from '../backends/native/x64/index.ts';
import { hugePages, koffiSystem, koffiVersion } from './koffi-system.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-system-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const system = await koffiSystem();
if ('reason' in system) console.log(`skipped: the system through koffi, because ${system.reason}`);

/** The line of /proc/self/maps with an address: `from-to rwxp offset device inode path`. */
function mapsLine(address: number): string | undefined {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((line) => {
      const [from, to] = line.split(/[- ]/).map((word) => Number.parseInt(word, 16));
      return from <= address && address < to;
    });
}

function code(emit: (a: Assembler) => void): Uint8Array {
  const a = new Assembler();
  emit(a);
  return a.finish();
}

const threads = () => readdirSync('/proc/self/task');

describe.skipIf('reason' in system)('memory', () => {
  if ('reason' in system) return;

  test('anonymous memory is zeroed, readable and writable, and gone once it is unmapped, also twice', () => {
    const mapping = system.map(5000, 'test');
    expect(mapping.bytes).toBe(5000);
    expect(mapping.address % system.pageBytes).toBe(0);
    const bytes = new Uint8Array(system.view(mapping.address, 5000));
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    bytes[4999] = 7;
    expect(new Uint8Array(system.view(mapping.address + 4999, 1))[0]).toBe(7);
    expect(mapsLine(mapping.address)).toContain(' rw-p ');
    mapping.unmap();
    // Whoever got the same address meanwhile keeps it.
    const next = system.map(5000, 'test');
    mapping.unmap();
    expect(mapsLine(next.address)).toContain(' rw-p ');
    next.unmap();
    const large = system.map(2 ** 33, 'test'); // an odd size: nobody else maps the very same
    const line = mapsLine(large.address);
    expect(line).toContain(' rw-p ');
    large.unmap();
    expect(mapsLine(large.address)).not.toBe(line);
  });

  test('more memory than there can be, and no memory at all, are clear errors', () => {
    expect(() => system.map(2 ** 50, 'cache')).toThrow(
      'cache: the system gives no 1125899906842624 bytes (ENOMEM)',
    );
    expect(() => system.map(0, 'cache')).toThrow('cache: 0 bytes of memory; at least 1 is needed');
    expect(() => system.map(Number.NaN, 'cache')).toThrow('cache: NaN bytes');
  });

  test('machine code is executable and never writable at the same time', () => {
    const mapping = system.mapCode(
      code(({ x }) => {
        x.lea(rax, mem(rdi, 2));
        x.add(rax, rsi);
        x.ret();
      }),
    );
    expect(mapsLine(mapping.address)).toContain(' r-xp ');
    expect(system.function(mapping.address).call(40, -1000)).toBe(-958);
    mapping.unmap();
  });

  test.skipIf(hugePages() !== 'madvise')(
    'large memory asks for huge pages where the system gives them to who asks, small memory does not',
    () => {
      const flagsOf = (address: number) => {
        const lines = readFileSync('/proc/self/smaps', 'utf8').split('\n');
        const start = lines.indexOf(mapsLine(address) ?? '');
        return lines.slice(start).find((line) => line.startsWith('VmFlags:')) ?? '';
      };
      const large = system.map(16 * 2 ** 20, 'large');
      expect(flagsOf(large.address)).toMatch(/\bhg\b/);
      large.unmap();
      const small = system.map(100_000, 'small');
      expect(flagsOf(small.address)).not.toMatch(/\bhg\b/);
      small.unmap();
    },
  );
});

describe.skipIf('reason' in system)('files', () => {
  if ('reason' in system) return;

  test('a file is mapped read-only and shared with all who read it', () => {
    const file = path.join(folder, 'file.bin');
    writeFileSync(file, 'bitmill');
    const mapping = system.mapFile(file);
    expect(mapsLine(mapping.address)).toMatch(/ r--s .*file\.bin$/);
    expect(Buffer.from(system.view(mapping.address, mapping.bytes)).toString()).toBe('bitmill');
    writeFileSync(file, 'BITMILL');
    expect(Buffer.from(system.view(mapping.address, 7)).toString()).toBe('BITMILL');
    writeFileSync(file, 'BIT');
    expect(mapping.sizeNow()).toBe(3);
    mapping.unmap();
    mapping.unmap();
    expect(() => mapping.sizeNow()).toThrow(`${file} is mapped no more`);
  });

  test('a file of whole pages is followed by a page of zeros that belongs to nobody else', () => {
    const file = path.join(folder, 'pages.bin');
    writeFileSync(file, new Uint8Array(8192).fill(1));
    const mapping = system.mapFile(file);
    expect(mapsLine(mapping.address + 8191)).toContain(' r--s ');
    expect(mapsLine(mapping.address + 8192)).toContain(' r--p ');
    expect(() => mapping.advise('soon', 8000, 193)).toThrow(
      `${file}: needs 193 bytes at offset 8000, but the file ends at 8192`,
    );
    mapping.unmap();
  });

  test('a missing, empty or special file is an input error that names it', () => {
    const empty = path.join(folder, 'empty.bin');
    writeFileSync(empty, '');
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    mkdirSync(path.join(folder, 'sub'));
    const cases = {
      [empty]: 'is empty',
      [path.join(folder, 'missing.bin')]: 'no such file or folder',
      [path.join(folder, 'sub')]: 'is a folder, not a file',
      [pipe]: 'is not a regular file',
    };
    const before = readdirSync('/proc/self/fd').length;
    for (const [file, problem] of Object.entries(cases)) {
      expect(() => system.mapFile(file)).toThrow(
        expect.objectContaining({ kind: 'input', message: `${file}: ${problem}` }),
      );
    }
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

/** `entry(flag)`: waits until the i32 at `flag` is not 0, then adds 1 to it. */
const waiting = code((a) => {
  const top = a.here();
  a.x.pause();
  a.x.load32(rax, mem(rdi));
  a.x.test(rax, rax);
  a.j('e', top);
  a.x.add(rax, 1);
  a.x.store32(mem(rdi), rax);
  a.x.ret();
});

describe.skipIf('reason' in system)('threads', () => {
  if ('reason' in system) return;

  test('a thread runs code with every signal blocked and ends when the code does', () => {
    const flag = system.map(4, 'flag');
    const cell = new Int32Array(system.view(flag.address, 4));
    const entry = system.mapCode(waiting);
    const before = threads();
    const own = readFileSync('/proc/self/status', 'utf8');
    const thread = system.startThread(entry.address, flag.address);
    const [born] = threads().filter((id) => !before.includes(id));
    const blocked = (status: string) => /SigBlk:\s*([0-9a-f]+)/.exec(status)?.[1];
    // Bits 0 to 63 are signals 1 to 64. KILL (9) and STOP (19) cannot be blocked; 32 to 34 may be the C library's own.
    const least = 0xffff_fffc_7ffb_feffn & ~(7n << 31n);
    const mask = BigInt(`0x${blocked(readFileSync(`/proc/self/task/${born}/status`, 'utf8'))}`);
    expect(mask & least).toBe(least);
    cell[0] = 1;
    thread.join();
    thread.join();
    expect(cell[0]).toBe(2);
    expect(threads()).not.toContain(born);
    expect(blocked(readFileSync('/proc/self/status', 'utf8'))).toBe(blocked(own));
    flag.unmap();
    entry.unmap();
  });

  test('a call on a thread of the pool leaves this one free', async () => {
    const flag = system.map(4, 'flag');
    const cell = new Int32Array(system.view(flag.address, 4));
    const entry = system.mapCode(waiting);
    const call = system.function(entry.address).callAsync(flag.address);
    cell[0] = 41;
    expect(await call).toBe(42);
    flag.unmap();
    entry.unmap();
  });
});

describe('no machine code', () => {
  afterEach(() => {
    delete process.env['BITMILL_NO_NATIVE'];
  });

  test('BITMILL_NO_NATIVE forbids it unless it is 0 or empty', async () => {
    process.env['BITMILL_NO_NATIVE'] = '1';
    expect(await koffiSystem()).toEqual({ reason: 'BITMILL_NO_NATIVE forbids machine code' });
    for (const off of ['0', '']) {
      process.env['BITMILL_NO_NATIVE'] = off;
      expect(await koffiSystem()).not.toHaveProperty('reason', 'BITMILL_NO_NATIVE forbids machine code');
    }
  });

  test('the version of koffi is told where it is installed', async () => {
    expect((await koffiVersion()) ?? '3.').toMatch(/^3\./);
  });
});
