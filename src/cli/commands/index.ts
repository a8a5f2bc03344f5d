/** The registry of commands: adding one = its file here and one line. */
import type { Command } from 'commander';
import { defineFormats } from './formats.ts';
import { definePull } from './pull.ts';

export const COMMANDS: readonly ((command: Command) => void)[] = [defineFormats, definePull];
