/** Lines that were entered before, kept in a file that only its user may read. */
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Lines that are kept. The file may have twice as many before it is written anew. */
export const HISTORY_LINES = 1000;

const PRIVATE = 0o600;

export interface History {
  /** The newest first, as readline has them. */
  readonly lines: readonly string[];
  add(line: string): void;
}

/** A history of this run alone. */
export const noHistory: History = { lines: [], add: () => {} };

/**
 * The history of a file, which is made where it is missing. A chat goes on without it: what is wrong with the file is
 * said once, by `warn`.
 */
export function openHistory(file: string, warn: (message: string) => void): History {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const before = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    const lines = before.slice(-HISTORY_LINES);
    if (before.length === 0 || before.length > 2 * HISTORY_LINES) {
      writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: PRIVATE });
    }
    chmodSync(file, PRIVATE);
    let newest = lines.at(-1);
    let failed = false;
    return {
      lines: lines.reverse(),
      add: (line) => {
        if (failed || line.trim() === '' || line === newest) return;
        newest = line;
        try {
          appendFileSync(file, `${line}\n`, { mode: PRIVATE });
        } catch (error) {
          failed = true;
          warn(`the history is not kept: ${(error as Error).message}`);
        }
      },
    };
  } catch (error) {
    warn(`the history is not kept: ${(error as Error).message}`);
    return noHistory;
  }
}
