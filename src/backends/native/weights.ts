/**
 * Weights where they lie: tensors of plain files are multiplied in the file's own pages, without a copy. A file is mapped
 * once, whoever holds weights of it, and unmapped with the last of them.
 *
 * The one hazard of a mapping is a file that others make shorter while it is in use: to touch pages that are gone ends
 * the process with SIGBUS, and no check in front of it can be sure. What can be checked is checked whenever a weight is
 * taken: the mapped file is the one whose header was read (its size, time and inode), and it still has all its bytes now.
 * Programs that replace a model should write the new one beside it and rename it, as bitmill does: the old file's bytes
 * then stay for those who mapped them.
 */
import { type FilePlace, inputError, type LocalFile } from '../../core/index.ts';
import type { FileMapping, NativeSystem } from './system.ts';

/** The bytes of one tensor in memory, read-only. */
export interface HeldWeight {
  readonly address: number;
  readonly bytes: number;
  /** The address must not be used afterwards. A second time does nothing. */
  release(): void;
}

interface Mapped {
  readonly mapping: FileMapping;
  holders: number;
}

export class MappedWeights {
  readonly #system: Pick<NativeSystem, 'mapFile'>;
  readonly #files = new Map<string, Mapped>();

  constructor(system: Pick<NativeSystem, 'mapFile'>) {
    this.#system = system;
  }

  /** Bytes of the files that are mapped now. The system keeps as much of them in memory as it likes. */
  get bytes(): number {
    return [...this.#files.values()].reduce((sum, { mapping }) => sum + mapping.bytes, 0);
  }

  /**
   * The bytes at a place, in memory until they are released. The system begins to read them from the disk.
   * @throws input error: the file is not what it was when it was opened, or ends before.
   */
  hold(place: FilePlace, bytes: number): HeldWeight {
    const { file, offset } = place;
    checkPlace(place, bytes);
    const key = keyOf(file);
    const mapped = this.#files.get(key) ?? { mapping: this.#system.mapFile(file.path, file), holders: 0 };
    mapped.holders++;
    this.#files.set(key, mapped);
    try {
      checkStillThere(file, mapped.mapping.sizeNow());
      mapped.mapping.advise('soon', offset, bytes);
    } catch (error) {
      this.#drop(key, mapped);
      throw error;
    }
    let held = true;
    return {
      address: mapped.mapping.address + offset,
      bytes,
      release: () => {
        if (!held) return;
        held = false;
        this.#drop(key, mapped, { offset, bytes });
      },
    };
  }

  #drop(key: string, mapped: Mapped, idle?: { readonly offset: number; readonly bytes: number }): void {
    mapped.holders--;
    if (mapped.holders === 0) {
      this.#files.delete(key);
      mapped.mapping.unmap();
    } else if (idle) {
      mapped.mapping.advise('idle', idle.offset, idle.bytes);
    }
  }
}

function keyOf({ path, size, mtimeMs, ino }: LocalFile): string {
  return JSON.stringify([path, size, mtimeMs, ino]);
}

function checkPlace({ file, offset }: FilePlace, bytes: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && offset >= 0 && bytes > 0;
  if (whole && offset + bytes <= file.size) return;
  throw inputError(file.path, `has ${file.size} bytes, which do not hold ${bytes} at ${offset}`);
}

function checkStillThere({ path, size }: LocalFile, now: number): void {
  if (now >= size) return;
  throw inputError(path, `became shorter while it was in use: ${now} bytes are left of ${size}`);
}
