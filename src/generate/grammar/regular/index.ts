/** Regular sets of texts: patterns, lengths, exceptions, and what several of them have in common. */
export { allAccept, exceptMachine, lengthMachine, type Machine, machineGraph } from './machine.ts';
export { PatternProblem } from './parse-pattern.ts';
export { patternMachine } from './pattern-machine.ts';
