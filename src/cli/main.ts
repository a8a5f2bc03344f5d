/** The command line: parses, runs one command, turns errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import { BitmillError, EXIT_CODES } from '../core/index.ts';
import { fileError, isErrno } from '../platform/index.ts';
import { COMMANDS } from './commands/index.ts';
import { colours } from './terminal.ts';
import { VERSION } from './version.ts';

function buildProgram(): Command {
  const program = new Command('bitmill')
    .description('Mill language models down to a few bits per weight.')
    .version(VERSION)
    .showHelpAfterError('(see bitmill COMMAND --help)')
    // What follows the name of a command, or of a command of a command, is its own.
    .enablePositionalOptions()
    .exitOverride();
  for (const define of COMMANDS) {
    const command = new Command().exitOverride();
    define(command);
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}

/** An error of the system that reached no one who knows the file better. */
function isSystemError(error: unknown): error is Error & { syscall: string; path?: string } {
  return error instanceof Error && 'syscall' in error && typeof error.syscall === 'string';
}

/** A reader that has enough (`| head`) ends the program quietly; a full disk behind stdout is told in one line. */
function watchStdout(): void {
  process.stdout.on('error', (error) => {
    if (isErrno(error, 'EPIPE')) process.exit();
    process.exit(report(fileError('stdout', error)));
  });
}

/** One line for the user; the stack only for faults that are neither the user's nor the system's, or when BITMILL_DEBUG is set. */
function report(thrown: unknown): number {
  const c = colours(process.stderr);
  const error = isSystemError(thrown) ? fileError(thrown.path ?? thrown.syscall, thrown) : thrown;
  if (error instanceof BitmillError) {
    process.stderr.write(`${c.red('error:')} ${error.message}\n`);
    if (error.hint) process.stderr.write(`${c.dim('hint:')} ${error.hint}\n`);
    if (process.env['BITMILL_DEBUG']) process.stderr.write(`${error.stack}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${c.red('error:')} ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_CODES.failure;
}

/** @param argv as process.argv. Sets process.exitCode; never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  watchStdout();
  try {
    await buildProgram().parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_CODES.usage;
    else process.exitCode = report(error);
  }
}
