/** Pictures as a card shows them: the one for dark pages where the reader's are dark, else a PNG that any page can show. */
import { attribute } from './markdown.ts';

/** Folder of the pictures beside the card. */
export const PICTURE_FOLDER = 'images';

export interface CardPicture {
  /** A plain word; files are named after it. */
  readonly name: string;
  /** What the picture shows, for those who do not see it. */
  readonly alt: string;
  /** A sentence under it. */
  readonly caption: string;
  /** Of the SVG, in pixels: the PNG has more, for dense screens. */
  readonly width?: number;
}

/** Width of an SVG in whole pixels; undefined where it does not say. */
export function svgWidth(svg: string): number | undefined {
  const width = /^<svg[^>]*? width="([\d.]+)"/.exec(svg)?.[1];
  return width === undefined ? undefined : Math.round(Number(width));
}

export type PictureFile = 'light' | 'dark' | 'png';

export function pictureFile(name: string, file: PictureFile): string {
  return file === 'png' ? `${name}.png` : `${name}-${file}.svg`;
}

/** The picture leads to its SVG. An empty line in an HTML block would end it. */
export function pictureElement({ name, alt, caption, width }: CardPicture): string {
  const target = (file: PictureFile): string => `${PICTURE_FOLDER}/${pictureFile(name, file)}`;
  return [
    `<a href="${target('light')}"><picture>`,
    `  <source media="(prefers-color-scheme: dark)" srcset="${target('dark')}">`,
    `  <img alt="${attribute(alt)}" src="${target('png')}"${width === undefined ? '' : ` width="${width}"`}>`,
    '</picture></a>',
    '',
    caption,
  ].join('\n');
}
