/** An area of the backend's memory that is kept between runs and grows with the largest need so far. */
import { alignUp } from '../../core/index.ts';
import type { TapeMemory } from './memory.ts';

/** Growth by a quarter at least: needs that rise a little with every token do not move the area every time. */
const GROWTH = 1.25;
const UNIT = 65536;

export class Area {
  readonly #memory: TapeMemory;
  readonly #label: string;
  #address = 0;
  #bytes = 0;

  /** @param label for errors. */
  constructor(memory: TapeMemory, label: string) {
    this.#memory = memory;
    this.#label = label;
  }

  get address(): number {
    return this.#address;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Makes room for `bytes`; the area may move, and what it held is lost then. @throws resources error. */
  reserve(bytes: number): void {
    if (bytes <= this.#bytes) return;
    const roomy = alignUp(Math.ceil(Math.max(bytes, this.#bytes * GROWTH)), UNIT);
    this.release();
    try {
      this.#take(roomy);
    } catch {
      this.#take(bytes);
    }
  }

  release(): void {
    if (this.#bytes > 0) this.#memory.free(this.#address);
    this.#bytes = 0;
  }

  #take(bytes: number): void {
    this.#address = this.#memory.alloc(bytes, this.#label, false);
    this.#bytes = bytes;
  }
}
