/** The registry of commands: adding one = its file here and one line. */
import type { Command } from 'commander';
import { defineConvert } from './convert.ts';
import { defineDequantize } from './dequantize.ts';
import { defineFormats } from './formats.ts';

export const COMMANDS: readonly ((command: Command) => void)[] = [
  defineConvert,
  defineDequantize,
  defineFormats,
];
