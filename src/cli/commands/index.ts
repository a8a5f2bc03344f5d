/** The registry of commands: adding one = its file here and one line. */
import type { Command } from 'commander';
import { defineCompare } from './compare.ts';
import { defineFormats } from './formats.ts';
import { defineHash } from './hash.ts';
import { defineInspect } from './inspect.ts';
import { defineMerge, defineSplit } from './split.ts';

export const COMMANDS: readonly ((command: Command) => void)[] = [
  defineFormats,
  defineInspect,
  defineSplit,
  defineMerge,
  defineHash,
  defineCompare,
];
