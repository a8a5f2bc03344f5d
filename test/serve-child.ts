/** `bitmill serve` as a child process of tests, with the embedded model. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const BIN = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const COMMON = ['-m', 'phi3-tiny', '-t', '1', '-c', '256', '--port', '0', '--json'];

interface Ready {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly models: readonly {
    readonly id: string;
    readonly fileType: string;
    readonly contextSize: number;
  }[];
  readonly slots: number;
}

export interface Running {
  readonly ready: Ready;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Resolves with the exit code. */
  readonly exit: Promise<number | null>;
}

/** Those that may still run; `killAll` after the tests. */
const children: ChildProcess[] = [];

export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** Resolves when it is ready. */
export async function startServe(...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [BIN, 'serve', ...COMMON, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const line = once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => String(text));
  const first = await Promise.race([
    line,
    exit.then((code) => Promise.reject(new Error(`${code}: ${stderr}`))),
  ]);
  return { ready: JSON.parse(first) as Ready, child, stderr: () => stderr, exit };
}
