/** Memory: every thread touches and reads a part of its own, as products read weights. */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { type Gpr, mem, type Vec } from '../x64/index.ts';

type Arguments = 'from' | 'bytes' | 'windows';

/** Bytes read at once: eight lines of the cache. Parts are multiples of it. */
export const TURN_BYTES = 512;

/** Bytes that prefetches are ahead: what a core has under way (about 50 lines), and one page at most. */
const AHEAD = 4096;

/**
 * Walks over the thread's part of a window, `TURN_BYTES` at once. There are `windows` one after the other, a part of
 * `bytes` for each thread; each turn (in place of scratch) is the next window's.
 */
function overOwnPart(k: KernelBuilder<Arguments>, body: (at: Gpr, places: readonly number[]) => void): void {
  const { from, bytes, windows } = k.ints('from', 'bytes', 'windows');
  const [turn, at] = [k.scratch, k.gpr('at')];
  k.while(turn, 'ge', windows, () => k.x.sub(turn, windows));
  k.x.imul(turn, k.threads);
  k.x.add(turn, k.thread);
  k.offset(at, from, turn, bytes);
  k.x.shr(bytes, Math.log2(TURN_BYTES));
  const places = Array.from({ length: TURN_BYTES / k.level.bytes }, (_, i) => i * k.level.bytes);
  k.countdown(bytes, () => {
    body(at, places);
    k.x.add(at, TURN_BYTES);
  });
}

export const readMemory = defineKernel({
  name: 'probe_read',
  args: ['from', 'bytes', 'windows'],
  emit: (k) => {
    const loaded: Vec[] = k.vecs('loaded', 8);
    overOwnPart(k, (at, places) => {
      for (const [i, place] of places.entries()) {
        if (place % 64 === 0) k.x.prefetcht0(mem(at, place + AHEAD));
        k.x.vmovups(loaded[i % loaded.length], mem(at, place));
      }
    });
  },
});

/** Writes, so that the system gives each part memory that is near its thread. */
export const touchMemory = defineKernel({
  name: 'probe_touch',
  args: ['from', 'bytes', 'windows'],
  emit: (k) => {
    const value = k.vec('value');
    k.zero(value);
    overOwnPart(k, (at, places) => {
      for (const place of places) k.x.vmovups_store(mem(at, place), value);
    });
  },
});
