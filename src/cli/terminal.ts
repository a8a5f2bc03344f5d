/** What the terminal can do: colours, progress bars, tables. Data goes to stdout, everything else to stderr. */
import type { WriteStream } from 'node:tty';
import cliProgress from 'cli-progress';
import pc from 'picocolors';
import { formatSize, type Progress, withoutControls } from '../core/index.ts';

export { formatSize, withoutControls };

/** Colours where the stream is a terminal and NO_COLOR is not set. */
export function colours(stream: WriteStream): ReturnType<typeof pc.createColors> {
  return pc.createColors(Boolean(stream.isTTY) && !process.env['NO_COLOR']);
}

/** Work that is done sooner shows no bar. */
const BAR_AFTER_MS = 2000;

/** `12.5 MiB of 27.0 MiB`, `3 of 27 files`. */
export function amountText(done: number, total: number, unit: string): string {
  return unit === 'bytes' ? `${formatSize(done)} of ${formatSize(total)}` : `${done} of ${total} ${unit}`;
}

/** Seconds as a person says them. */
export function leftText(left: number): string {
  const seconds = Math.ceil(left);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min left`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s left` : `${seconds} s left`;
}

function createBar(label: string, stream: NodeJS.WriteStream): cliProgress.SingleBar {
  return new cliProgress.SingleBar(
    {
      format: `${label} [{bar}] {percentage}%  {amount}  {left}  {note}`,
      stream,
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
    },
    cliProgress.Presets.legacy,
  );
}

/** Progress as a bar on stderr, for work of over two seconds; with `quiet` or no terminal only warnings. */
export function terminalProgress(options: { quiet?: boolean; stream?: NodeJS.WriteStream } = {}): Progress {
  const stream = options.stream ?? process.stderr;
  const c = colours(stream);
  const visible = Boolean(stream.isTTY) && !options.quiet;
  let work: { label: string; total: number; unit: string; started: number } | undefined;
  let bar: cliProgress.SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
    work = undefined;
  };
  return {
    start: (label, total, unit) => {
      stop();
      if (visible) work = { label, total, unit, started: performance.now() };
    },
    update: (done, note = '') => {
      if (!work) return;
      const { label, total, unit, started } = work;
      const elapsed = performance.now() - started;
      if (elapsed < BAR_AFTER_MS) return;
      // At the pace so far, once there is one.
      const left = done > 0 ? leftText(((total - done) / done) * (elapsed / 1000)) : '';
      const texts = { amount: amountText(done, total, unit), left, note };
      if (bar) bar.update(done, texts);
      else {
        bar = createBar(label, stream);
        bar.start(total, done, texts);
      }
    },
    stop,
    warn: (message) => void stream.write(`${c.yellow('warning:')} ${message}\n`),
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

/** JSON with all control characters escaped, also those above ASCII, which terminals obey and JSON allows. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** Prints a result on stdout as JSON, one object. */
export function printJson(value: unknown): void {
  process.stdout.write(`${jsonText(value, 2)}\n`);
}
