/** Native memory: aligned, zeroed, counted, refused beyond the limit, and gone after close. */
import { expect, test } from 'vitest';
import { NativeMemory } from './memory.ts';
import type { Mapping, NativeSystem } from './system.ts';

/** A system whose memory is an array; it counts what is mapped. */
function fake() {
  const mapped = new Map<number, Uint8Array>();
  let next = 4096;
  const map = (bytes: number): Mapping => {
    const address = next;
    next += 4096 * Math.ceil(bytes / 4096);
    mapped.set(address, new Uint8Array(bytes));
    return { address, bytes, unmap: () => void mapped.delete(address) };
  };
  const view = (address: number, length: number): ArrayBuffer => {
    for (const [start, bytes] of mapped) {
      if (address >= start && address + length <= start + bytes.length) {
        return bytes.buffer.slice(address - start, address - start + length) as ArrayBuffer;
      }
    }
    throw new Error(`${length} bytes at ${address} are not mapped`);
  };
  const none = (): never => {
    throw new Error('not in this test');
  };
  const system: NativeSystem = {
    pageBytes: 4096,
    map,
    view,
    mapCode: none,
    mapFile: none,
    function: none,
    startThread: none,
    onExit: none,
  };
  return { system, mapped };
}

test('small blocks share a mapping, a large one has its own, and all begin at multiples of 64', () => {
  const { system, mapped } = fake();
  const memory = new NativeMemory(system, Number.POSITIVE_INFINITY);
  const blocks = [1, 100, 0, 2 ** 20, 2 ** 20 - 1].map((bytes) => memory.alloc(bytes, 'x'));
  expect(blocks.map((address) => address % 64)).toEqual([0, 0, 0, 0, 0]);
  expect(new Set(blocks).size).toBe(5);
  expect(mapped.size).toBe(2);
  expect(memory.used).toBe(1 + 100 + 2 ** 21 - 1);
  for (const address of blocks) memory.free(address);
  expect(memory.used).toBe(0);
  expect(mapped.size).toBe(1); // one mapping stays for small blocks to come
});

test('64 bytes behind every block can be read', () => {
  const { system } = fake();
  const memory = new NativeMemory(system, Number.POSITIVE_INFINITY);
  for (const bytes of [2 ** 20, 2 ** 20 + 4096, 2 ** 20 - 1, 2 ** 20 - 1, 2 ** 20 - 1, 2 ** 20 - 1]) {
    const address = memory.alloc(bytes, 'x');
    expect(system.view(address, bytes + 64).byteLength).toBe(bytes + 64);
  }
});

test('what does not fit is refused with its name and the numbers', () => {
  const memory = new NativeMemory(fake().system, 1000);
  memory.alloc(600, 'first');
  expect(() => memory.alloc(401, 'keys')).toThrow(
    'keys: no room for 401 bytes: 600 of 1000 bytes are in use',
  );
  expect(() => memory.alloc(-1, 'keys')).toThrow('keys: -1 bytes');
  expect(() => memory.alloc(0.5, 'keys')).toThrow('keys: 0.5 bytes');
  memory.alloc(400, 'keys');
});

test('after close nothing is mapped, nothing can be read, and frees are harmless', () => {
  const { system, mapped } = fake();
  const memory = new NativeMemory(system, Number.POSITIVE_INFINITY);
  const [small, large] = [memory.alloc(5, 'x'), memory.alloc(2 ** 21, 'x')];
  memory.close();
  memory.close();
  expect(mapped.size).toBe(0);
  expect(memory.used).toBe(0);
  expect(() => memory.bytes(small, 1)).toThrow('the native backend is closed');
  expect(() => memory.alloc(1, 'x')).toThrow('the native backend is closed');
  memory.free(large);
});

test('an address where no block starts is no block', () => {
  const memory = new NativeMemory(fake().system, 1000);
  const address = memory.alloc(64, 'x');
  expect(() => memory.free(address + 64)).toThrow(`no block starts at address ${address + 64}`);
  memory.free(address);
  expect(() => memory.free(address)).toThrow(`no block starts at address ${address}`);
});
