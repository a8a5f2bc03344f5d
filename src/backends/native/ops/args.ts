/** Arguments of a kernel by name, in the order that it declares. */
export function argsOf<A extends string>(names: readonly A[], values: Readonly<Record<A, number>>): number[] {
  return names.map((name) => values[name]);
}
