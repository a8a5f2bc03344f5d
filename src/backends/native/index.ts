/** The native backend: machine code made at run time. The only door of the folder. */

export { type NativeOptions, nativeBackend } from './backend.ts';
export { cpuFeatures } from './cpu.ts';
export {
  bestLevel,
  type Features,
  LEVEL_NAMES,
  LEVEL_NEEDS,
  LEVELS,
  type Level,
  type LevelName,
  levelsOf,
} from './level.ts';
export {
  type MachineRates,
  measureRates,
  type ProbeOptions,
  RATE_NAMES,
  type Rate,
  type RateName,
} from './probes/index.ts';
export type { FileMapping, Mapping, NativeFunction, NativeSystem, NativeThread } from './system.ts';
