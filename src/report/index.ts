/** Report: measurements as pictures. The only door of the folder. */
export * from './importance-map.ts';
export { type PngParts, renderPng, renderSvg, type TopLevelSpec } from './picture.ts';
export * from './quant-set.ts';
