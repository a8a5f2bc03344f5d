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
const FONT = 'Inter, Helvetica, Arial, sans-serif';

/** Colours of a page that a picture stands on. The background is solid: a viewer's own may be the other one. */
export const THEMES = {
  light: { background: 'white', title: '#1f2328', text: '#444', muted: '#666', rule: '#e4e6ea' },
  dark: { background: '#0d1117', title: '#e6edf3', text: '#b6bec8', muted: '#9098a2', rule: '#262c34' },
} as const;

export type ThemeName = keyof typeof THEMES;

/** Colours and text of all pictures. */
function themeConfig(name: ThemeName) {
  const { background, title, text, muted, rule } = THEMES[name];
  const label = { labelColor: text, titleColor: text, titleFontWeight: 400 };
  return {
    background,
    padding: 20,
    font: FONT,
    title: {
      color: title,
      fontSize: 17,
      fontWeight: 600,
      subtitleFontSize: 12,
      subtitleColor: muted,
      anchor: 'start',
      offset: 16,
    },
    axis: {
      ...label,
      labelFontSize: 11,
      titleFontSize: 12,
      gridColor: rule,
      domainColor: muted,
      tickColor: muted,
    },
    header: label,
    legend: { ...label, labelFontSize: 11, titleFontSize: 11 },
    view: { stroke: null },
  } as const;
}

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
export async function renderSvg(spec: TopLevelSpec, theme: ThemeName = 'light'): Promise<string> {
  const [vega, lite] = await optional('vega vega-lite', () =>
    Promise.all([import('vega'), import('vega-lite')]),
  );
  const config = { ...themeConfig(theme), ...spec.config };
  const compiled = lite.compile({ ...spec, config } as TopLevelSpec).spec;
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
