/** A scatter plot of files as a Vega-Lite specification. */
import { LABEL_SIZE } from './labels.ts';
import { THEMES, type ThemeName, type TopLevelSpec } from './picture.ts';
import { logTicks } from './scales.ts';
import {
  AREA,
  FAMILIES,
  type Family,
  familyOf,
  GUIDE_OFFSET,
  Layout,
  legendPlace,
  type Scatter,
  scatterLabels,
} from './scatter.ts';

/** Area of a mark, in square pixels. */
const MARK = 60;

/** Ticks of the size axis at most. */
const TICKS = 12;

/** Ticks are round numbers already. */
const AS_IT_IS = "'' + datum.value";

/** A part of a specification; the whole is typed at the end. */
type Layer = Readonly<Record<string, unknown>>;

/** A label with the data that its text and its leader are drawn from. */
interface PlacedRow {
  readonly text: string;
  readonly family: Family;
  readonly colour: string;
  readonly isMarked: boolean;
  readonly size: number;
  readonly value: number;
  readonly pointSize: number;
  readonly pointValue: number;
  readonly endSize: number | null;
  readonly endValue: number | null;
}

class ScatterDrawing {
  readonly #plot: Scatter;
  readonly #theme: ThemeName;
  readonly #layout: Layout;
  /** Name and bytes of the unit of sizes. */
  readonly #unit: readonly [string, number];

  readonly #placed: readonly PlacedRow[];

  constructor(plot: Scatter, theme: ThemeName) {
    this.#plot = plot;
    this.#theme = theme;
    this.#layout = new Layout(plot);
    this.#unit = this.#layout.sizes[1] >= 2 ** 30 ? ['GiB', 2 ** 30] : ['MiB', 2 ** 20];
    this.#placed = this.#place();
  }

  spec(): TopLevelSpec {
    const { title, subtitle, line } = this.#plot;
    const layer = [
      ...this.#guides(),
      ...(line ? [this.#front()] : []),
      this.#leaders(),
      this.#bars(),
      this.#points(true),
      this.#points(false),
      this.#labels(false),
      this.#labels(true),
      this.#legend(),
    ];
    return { title: { text: title, subtitle }, ...AREA, layer } as unknown as TopLevelSpec;
  }

  #inUnit(size: number): number {
    return size / this.#unit[1];
  }

  get #x(): Layer {
    const domain = this.#layout.sizes.map((size) => this.#inUnit(size));
    return {
      field: 'size',
      type: 'quantitative',
      title: `file size, ${this.#unit[0]} (logarithmic)`,
      scale: { type: 'log', domain, nice: false },
      axis: { values: logTicks([domain[0], domain[1]], TICKS), labelExpr: AS_IT_IS, grid: false },
    };
  }

  get #y(): Layer {
    const { title, type, domain, ticks } = this.#plot.values;
    return {
      field: 'value',
      type: 'quantitative',
      title,
      scale: { type, domain, nice: false },
      axis: { values: ticks, labelExpr: AS_IT_IS, grid: true, domain: false, ticks: false, labelPadding: 6 },
    };
  }

  /** Colours of rows by themselves: only the points have a legend. */
  readonly #own = { field: 'colour', type: 'nominal', scale: null };

  #family(type: string): { readonly family: Family; readonly colour: string } {
    const family = familyOf(type);
    return { family, colour: FAMILIES[family][this.#theme] };
  }

  #rows() {
    return this.#plot.points.map((point) => ({
      ...point,
      size: this.#inUnit(point.size),
      ...this.#family(point.type),
    }));
  }

  #place(): PlacedRow[] {
    return scatterLabels(this.#plot).map((label) => {
      const { type, isMarked, size, value } = this.#plot.points[label.of];
      const place = this.#layout.values(label);
      const end = label.leader && this.#layout.values(label.leader);
      return {
        text: label.text,
        ...this.#family(type),
        isMarked,
        size: this.#inUnit(place.size),
        value: place.value,
        pointSize: this.#inUnit(size),
        pointValue: value,
        endSize: end ? this.#inUnit(end.size) : null,
        endValue: end?.value ?? null,
      };
    });
  }

  #guides(): Layer[] {
    const { muted } = THEMES[this.#theme];
    const [least, most] = this.#layout.sizes.map((size) => this.#inUnit(size));
    return this.#plot.guides.map(({ value, text, isAbove, end }) => ({
      data: { values: [{ value, size: end === 'left' ? least : most, text }] },
      layer: [
        {
          mark: { type: 'rule', strokeDash: [4, 4], color: muted, opacity: 0.7 },
          encoding: { y: this.#y },
        },
        {
          mark: {
            type: 'text',
            align: end,
            baseline: 'middle',
            dy: isAbove ? -GUIDE_OFFSET : GUIDE_OFFSET,
            fontSize: LABEL_SIZE,
            color: muted,
          },
          encoding: { x: this.#x, y: this.#y, text: { field: 'text' } },
        },
      ],
    }));
  }

  #front(): Layer {
    return {
      data: { values: this.#rows().filter(({ isMarked }) => isMarked) },
      mark: { type: 'line', color: THEMES[this.#theme].muted, strokeWidth: 1.5, opacity: 0.8 },
      encoding: { x: this.#x, y: this.#y },
    };
  }

  #leaders(): Layer {
    return {
      data: { values: this.#placed.filter(({ endSize }) => endSize !== null) },
      mark: { type: 'rule', color: THEMES[this.#theme].muted, strokeWidth: 0.8, opacity: 0.8 },
      encoding: {
        x: { ...this.#x, field: 'pointSize' },
        y: { ...this.#y, field: 'pointValue' },
        x2: { field: 'endSize' },
        y2: { field: 'endValue' },
      },
    };
  }

  #bars(): Layer {
    return {
      data: { values: this.#rows() },
      mark: { type: 'rule', strokeWidth: 1.3, opacity: 0.55 },
      encoding: { x: this.#x, y: { ...this.#y, field: 'low' }, y2: { field: 'high' }, color: this.#own },
    };
  }

  /** Shapes of the families; the legend is drawn like points, since Vega's would part shapes from colours. */
  #shape(): Layer {
    const families = Object.keys(FAMILIES) as Family[];
    const scale = { domain: families, range: families.map((name) => FAMILIES[name].shape) };
    return { field: 'family', type: 'nominal', scale, legend: null };
  }

  #points(isMarked: boolean): Layer {
    const fill = isMarked ? { filled: true } : { fill: THEMES[this.#theme].background };
    return {
      data: { values: this.#rows().filter((row) => row.isMarked === isMarked) },
      mark: { type: 'point', size: MARK, strokeWidth: 1.6, opacity: 1, ...fill },
      encoding: { x: this.#x, y: this.#y, color: this.#own, shape: this.#shape() },
    };
  }

  #legend(): Layer {
    const used = new Set(this.#plot.points.map(({ type }) => familyOf(type)));
    const families = (Object.keys(FAMILIES) as Family[]).filter((name) => used.has(name));
    const values = families.map((family, i) => {
      const place = this.#layout.values(legendPlace(this.#plot, i, families.length));
      return {
        family,
        colour: FAMILIES[family][this.#theme],
        size: this.#inUnit(place.size),
        value: place.value,
      };
    });
    const encoding = { x: this.#x, y: this.#y };
    return {
      data: { values },
      layer: [
        {
          mark: { type: 'point', size: MARK, strokeWidth: 1.6, opacity: 1, filled: true },
          encoding: { ...encoding, color: this.#own, shape: this.#shape() },
        },
        {
          mark: {
            type: 'text',
            align: 'left',
            baseline: 'middle',
            dx: 11,
            fontSize: LABEL_SIZE,
            color: THEMES[this.#theme].text,
          },
          encoding: { ...encoding, text: { field: 'family' } },
        },
      ],
    };
  }

  /** Labels over a rim in the colour of the page, so that lines under them do not disturb. */
  #labels(isMarked: boolean): Layer {
    const text = { type: 'text', fontSize: LABEL_SIZE, fontWeight: isMarked ? 600 : 400, baseline: 'middle' };
    const { background } = THEMES[this.#theme];
    const encoding = { x: this.#x, y: this.#y, text: { field: 'text' } };
    return {
      data: { values: this.#placed.filter((label) => label.isMarked === isMarked) },
      layer: [
        { mark: { ...text, fill: background, stroke: background, strokeWidth: 3, opacity: 0.8 }, encoding },
        { mark: text, encoding: { ...encoding, color: this.#own } },
      ],
    };
  }
}

export function scatterSpec(plot: Scatter, theme: ThemeName): TopLevelSpec {
  return new ScatterDrawing(plot, theme).spec();
}
