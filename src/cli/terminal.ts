/** What the terminal can do: colours, progress bars, tables. Data goes to stdout, everything else to stderr. */
import type { WriteStream } from 'node:tty';
import cliProgress from 'cli-progress';
import pc from 'picocolors';
import type { Progress } from '../core/index.ts';

/** Colours where the stream is a terminal and NO_COLOR is not set. */
export function colours(stream: WriteStream): ReturnType<typeof pc.createColors> {
  return pc.createColors(Boolean(stream.isTTY) && !process.env['NO_COLOR']);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1536` -> `1.5 KiB`. */
export function formatSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[power]}`;
}

/** Progress as a bar on stderr; silent but for warnings where stderr is no terminal, or with `quiet`. */
export function terminalProgress(options: { quiet?: boolean } = {}): Progress {
  const c = colours(process.stderr);
  let bar: cliProgress.SingleBar | undefined;
  const visible = Boolean(process.stderr.isTTY) && !options.quiet;
  return {
    start: (label, total, unit) => {
      if (!visible) return;
      bar = new cliProgress.SingleBar(
        {
          format: `${label} [{bar}] {percentage}% {amount} {eta_formatted} left {note}`,
          stream: process.stderr,
          hideCursor: true,
          clearOnComplete: true,
          formatValue: (value, _options, type) =>
            type === 'value' && unit === 'bytes' ? formatSize(value) : String(value),
        },
        cliProgress.Presets.legacy,
      );
      bar.start(total, 0, { note: '', amount: '' });
    },
    update: (done, note = '') => bar?.update(done, { note, amount: '' }),
    stop: () => {
      bar?.stop();
      bar = undefined;
    },
    warn: (message) => void process.stderr.write(`${c.yellow('warning:')} ${message}\n`),
  };
}

/** A table with aligned columns; numbers (by `right`) to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = rows[0].map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column].length), 0),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Prints a result on stdout as JSON, one object. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
