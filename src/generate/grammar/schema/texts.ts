/** Strings of a shape: length, patterns and formats together. */
import { ANY_CHARACTER } from '../char-set.ts';
import { type Expression, repeat } from '../expression.ts';
import {
  allAccept,
  exceptMachine,
  lengthMachine,
  type Machine,
  machineGraph,
  patternMachine,
} from '../regular/index.ts';
import { FORMATS } from './formats.ts';
import { anyName, JSON_RULES, quoted, stringCharacters } from './json.ts';
import type { StringShape } from './shape.ts';

function machines({ least, most, patterns, formats }: StringShape): Machine[] {
  return [
    ...(least > 0 || most < Number.POSITIVE_INFINITY ? [lengthMachine(least, most)] : []),
    ...patterns.map((pattern) => patternMachine(pattern)),
    ...formats.map((format) => patternMachine(FORMATS[format], true)),
  ];
}

/** @throws PatternProblem: too many states. */
export function stringOf(shape: StringShape): Expression {
  const { least, most, patterns, formats } = shape;
  if (patterns.length + formats.length > 0) return quoted(machineGraph(machines(shape), stringCharacters));
  if (least === 0 && most === Number.POSITIVE_INFINITY) return JSON_RULES.string;
  return quoted(repeat(stringCharacters(ANY_CHARACTER), least, most));
}

export const fitsString = (shape: StringShape, text: string): boolean => allAccept(machines(shape), text);

/** Names of properties, but not these. */
export function nameExcept(names: readonly string[]): Expression {
  return names.length === 0 ? anyName : quoted(machineGraph([exceptMachine(names)], stringCharacters));
}
