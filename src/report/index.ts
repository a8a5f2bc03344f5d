/** Report: measurements as pictures and as a model card. The only door of the folder. */
export { type CardParts, cardText } from './card.ts';
export { type CardPicture, PICTURE_FOLDER, pictureFile, svgWidth } from './card-picture.ts';
export * from './importance-map.ts';
export { keptOf } from './notes.ts';
export { type PngParts, renderPng, renderSvg, type ThemeName, type TopLevelSpec } from './picture.ts';
export * from './quant-set.ts';
export { PICTURES, type SetPicture, setPictures } from './set-pictures.ts';
