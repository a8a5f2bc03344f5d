/**
 * Numbers that the plain encoders and their kernels share, said once: this file is AssemblyScript and TypeScript
 * alike. Hence no types; kernels cast to f32. Tables of starts cannot be shared (the kernels keep them in static
 * memory): they stand in both places, and the plain encoder's file names the other.
 */

/** Weights of magnitude below this are zero: far below half of the least f16 scale times any value. */
export const NOTHING = 1e-12;
/** Importance whose largest value is not above this says nothing, and counts as equal. */
export const NO_IMPORTANCE = 1e-30;
/** Share of the block's largest importance that every weight has at least: none takes arbitrary codes. */
export const IMPORTANCE_FLOOR = 1e-6;

/** Symmetric formats: weights beyond this are clamped, far above what any f16 scale reaches. */
export const SYMMETRIC_LIMIT = 1e9;
/** Symmetric formats: as `IMPORTANCE_FLOOR`, but added. */
export const SYMMETRIC_FLOOR = 1e-7;

/**
 * Scale-and-min formats: a first guess for the negated block may be worse than the other's final error by this;
 * refits can win that.
 */
export const SECOND_CHANCE = 1.01;
/** Scale-and-min formats: reach of the wide search, and the share of the error (1: the mean) that calls for it. */
export const WIDE = 10;
export const LOUD = 2.0;

/** IQ1: range of d tried, in units of the largest scale: between almost all multiples and a few in use. */
export const D_FIRST = 1.0 / 24.0;
export const D_LAST = 1.0 / 4.0;
/** IQ1: f16 bits below which rounding moves d so far that other multiples may fit better. */
export const COARSE = 64;
