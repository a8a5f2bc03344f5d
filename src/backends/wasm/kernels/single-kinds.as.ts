/**
 * Formats that have a product of one token, by number: TypeScript and AssemblyScript at once, so that lowering and
 * kernel agree. The names are those of the formats.
 */
export const Q4_K = 0;
export const Q5_K = 1;
export const Q6_K = 2;
export const Q2_K = 3;
export const Q3_K = 4;
export const IQ4_XS = 5;
export const IQ1_S = 6;
export const IQ1_M = 7;
export const IQ2_XXS = 8;
export const IQ2_XS = 9;
export const IQ2_S = 10;
export const IQ3_XXS = 11;
export const IQ3_S = 12;
// From here on blocks of 32.
export const Q8_0 = 13;
export const Q4_0 = 14;
export const Q4_1 = 15;
export const Q5_0 = 16;
export const Q5_1 = 17;
export const IQ4_NL = 18;
