/** Writing pictures: the SVG or PNG of a specification, with the fonts of an npm package. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { BitmillError } from '../core/index.ts';
import { renderPng, renderSvg, type TopLevelSpec } from '../report/index.ts';
import { writeOutput } from './output.ts';

const { resolve } = createRequire(import.meta.url);

/** Weights of the font: plain and semi-bold. */
const FONT_FILES = [400, 600].map((weight) => `@fontsource/inter/files/inter-latin-${weight}-normal.woff2`);

const RENDERER = '@resvg/resvg-wasm/index_bg.wasm';

/** A file of an installed package. @throws resources error: the package is not installed. */
async function packageFile(specifier: string): Promise<Uint8Array> {
  const name = specifier.split('/').slice(0, 2).join('/');
  try {
    return await readFile(resolve(specifier));
  } catch (error) {
    throw new BitmillError('resources', `PNG pictures need the package ${name}, which is not installed`, {
      hint: `npm install ${name}, or ask for SVG`,
      cause: error,
    });
  }
}

/** What PNG pictures are drawn with. @throws resources error: a package is not installed. */
export async function pngParts(): Promise<{ wasm: Uint8Array; fonts: Uint8Array[] }> {
  return { wasm: await packageFile(RENDERER), fonts: await Promise.all(FONT_FILES.map(packageFile)) };
}

/** Writes the picture to the files that are named. @param inputs files that must not be overwritten. */
export async function writePictures(
  spec: TopLevelSpec,
  files: { readonly svg?: string | undefined; readonly png?: string | undefined },
  inputs: readonly string[],
): Promise<void> {
  if (files.svg === undefined && files.png === undefined) return;
  const svg = await renderSvg(spec);
  if (files.svg !== undefined) {
    await writeOutput(files.svg, inputs, (sink) => sink.write(0, new TextEncoder().encode(svg)));
  }
  if (files.png !== undefined) {
    const png = await renderPng(svg, await pngParts());
    await writeOutput(files.png, inputs, (sink) => sink.write(0, png));
  }
}
