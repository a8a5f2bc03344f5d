/** The native backend: machine code made at run time. The only door of the folder. */

export { type NativeOptions, nativeBackend } from './backend.ts';
export { cpuFeatures } from './cpu.ts';
export {
  bestLevel,
  type Features,
  LEVEL_NAMES,
  LEVELS,
  type Level,
  type LevelName,
  levelsOf,
} from './level.ts';
export type { FileMapping, Mapping, NativeFunction, NativeSystem, NativeThread } from './system.ts';
