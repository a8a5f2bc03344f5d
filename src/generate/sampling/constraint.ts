/** What a grammar, or anything else, says of the next token. It knows what came before: one for each generation. */
export interface Constraint {
  /** Whether this id may come next. */
  allows(id: number): boolean;
  /** All that may; only valid until `accept`. */
  allowed(): { has(id: number): boolean };
  /** The id has been chosen. */
  accept(id: number): void;
  /** Whether nothing but the end can follow. */
  readonly isOver: boolean;
}
