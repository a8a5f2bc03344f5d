/** The registry of commands: adding one = its file here and one line. */
import type { Command } from 'commander';
import { defineFormats } from './formats.ts';

export const COMMANDS: readonly ((command: Command) => void)[] = [defineFormats];
