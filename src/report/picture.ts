/**
 * Pictures: a Vega-Lite specification as SVG, and SVG as PNG. The libraries are large and few commands need them, so they
 * are optional packages, loaded when a picture is made.
 */
import type { TopLevelSpec } from 'vega-lite';
import { BitmillError } from '../core/index.ts';

export type { TopLevelSpec };

/** Files of packages that the PNG renderer needs; a runtime finds them in its own way. */
export interface PngParts {
  /** `@resvg/resvg-wasm/index_bg.wasm`. */
  readonly wasm: Uint8Array;
  /** Fonts (TTF, OTF or WOFF2) with which text is drawn. */
  readonly fonts: readonly Uint8Array[];
}

/** Family of the text; SVG viewers without Inter take what they have. */
export const FONT = 'Inter, Helvetica, Arial, sans-serif';

/** Colours and text of all pictures. */
const THEME = {
  background: 'white',
  padding: 20,
  font: FONT,
  title: {
    fontSize: 17,
    fontWeight: 600,
    subtitleFontSize: 12,
    subtitleColor: '#666',
    anchor: 'start',
    offset: 16,
  },
  axis: {
    labelColor: '#444',
    titleColor: '#444',
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 400,
  },
  legend: {
    labelColor: '#444',
    titleColor: '#444',
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 400,
  },
  view: { stroke: null },
} as const;

/** @throws resources error: a package is not installed, with the command that installs it. */
async function optional<T>(names: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new BitmillError('resources', `pictures need packages that are not installed: ${names}`, {
      hint: `npm install ${names}`,
      cause: error,
    });
  }
}

/** The picture as SVG text. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const [vega, lite] = await optional('vega vega-lite', () =>
    Promise.all([import('vega'), import('vega-lite')]),
  );
  const compiled = lite.compile({ ...spec, config: { ...THEME, ...spec.config } } as TopLevelSpec).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

let started: Promise<void> | undefined;

/** @param scale pixels a unit of the SVG. */
export async function renderPng(svg: string, { wasm, fonts }: PngParts, scale = 2): Promise<Uint8Array> {
  const { initWasm, Resvg } = await optional('@resvg/resvg-wasm', () => import('@resvg/resvg-wasm'));
  started ??= initWasm(wasm as BufferSource);
  await started;
  const resvg = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    font: { fontBuffers: [...fonts], defaultFontFamily: 'Inter', sansSerifFamily: 'Inter' },
  });
  try {
    return resvg.render().asPng();
  } finally {
    resvg.free();
  }
}
