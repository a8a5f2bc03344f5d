/** How many sequences each model gets: as many as fit the memory, up to a number beyond which nobody gains. */
import os from 'node:os';
import type { Backend } from '../../backends/index.ts';
import { BitmillError, formatSize } from '../../core/index.ts';
import type { Engine } from '../../generate/index.ts';
import type { GgufFile } from '../../gguf/index.ts';
import type { EngineNeeds } from '../engine.ts';

/** More streams than that share the cores so thinly that waiting in the queue is no worse. */
const MOST_SLOTS = 16;
/** What is left to the system and to others, as a share of what is free at the start. */
const SPARE = 0.1;

/** A model whose file is open, and a backend of its own. */
export interface OpenFile {
  readonly id: string;
  readonly file: GgufFile;
  readonly backend: Backend;
}

/** An engine of so many sequences; its weights are not read yet. */
export type Opener = (open: OpenFile, needs: Pick<EngineNeeds, 'sequences'>) => Promise<Engine>;

export interface SlotPlan {
  readonly engines: readonly Engine[];
  readonly slots: number;
  /** Bytes of all engines together, and what they may have. */
  readonly bytes: number;
  readonly budget: number;
}

/** Bytes that are free on this machine, as far as this process may use them. */
export function freeMemory(): number {
  const limit = process.constrainedMemory();
  const free = os.freemem();
  return Math.floor((1 - SPARE) * (limit > 0 ? Math.min(free, limit) : free));
}

/**
 * @param asked slots as asked for; undefined: as many as fit.
 * @throws resources error: not even one of each fits, or not as many as were asked for.
 */
export async function planSlots(
  files: readonly OpenFile[],
  asked: number | undefined,
  budget: number,
  open: Opener,
): Promise<SlotPlan> {
  for (let slots = asked ?? MOST_SLOTS; ; slots--) {
    const engines = await Promise.all(files.map((file) => open(file, { sequences: slots })));
    const bytes = engines.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
    if (bytes <= budget && engines.every(({ resident }) => resident))
      return { engines, slots, bytes, budget };
    if (slots > 1 && asked === undefined) continue;
    const [{ contextSize }] = engines;
    const each = `${slots} ${slots === 1 ? 'slot' : 'slots'} of ${contextSize} positions`;
    throw new BitmillError(
      'resources',
      `${files.map(({ id }) => id).join(', ')}: ${each} need ${formatSize(bytes)}, ${formatSize(room(engines, budget))} are there`,
      { hint: 'fewer --slots, a shorter context (-c), a smaller quant or more --memory helps' },
    );
  }
}

/** The budget, or where one engine's backend is the limit, that. */
function room(engines: readonly Engine[], budget: number): number {
  return Math.min(budget, ...engines.filter(({ resident }) => !resident).map((engine) => engine.budget));
}
