/** The pictures of a set: a row for each that a card can have. */
import type { ImportanceMatrix } from '../imatrix/index.ts';
import type { CardPicture } from './card-picture.ts';
import { errorMap, outsideText } from './error-map.ts';
import { examPlot } from './exam-plot.ts';
import { importanceMap } from './importance-map.ts';
import { lossPlot } from './loss-plot.ts';
import type { ThemeName, TopLevelSpec } from './picture.ts';
import type { QuantSet } from './quant-set.ts';

export interface SetPicture extends CardPicture {
  /** The same for every theme but for colours. */
  readonly spec: (theme: ThemeName) => TopLevelSpec;
}

interface PictureKind extends CardPicture {
  /** What follows the caption. */
  readonly more?: (set: QuantSet) => string;
  /** Undefined where the set has nothing to show. */
  readonly draw: (
    set: QuantSet,
    theme: ThemeName,
    matrix: ImportanceMatrix | undefined,
  ) => TopLevelSpec | undefined;
}

/** Every picture that a card can have, drawn or not. */
export const PICTURES: readonly PictureKind[] = [
  {
    name: 'loss',
    alt: 'Scatter plot: mean KL divergence of each file against its size, both on logarithmic scales',
    caption: 'Dashed lines are the limits of the words that are explained below.',
    draw: lossPlot,
  },
  {
    name: 'errors',
    alt: 'Heat maps: relative error of each tensor in each layer, for some of the types',
    caption: 'What each matrix lost, for types from few bits to many; one colour scale for all.',
    more: outsideText,
    draw: errorMap,
  },
  {
    name: 'imatrix',
    alt: 'Heat maps of the importance matrix: size of the inputs of each tensor in each layer, and how evenly they are spread',
    caption:
      'The importance matrix: where large inputs make errors count, and whether few columns carry them.',
    draw: (set, theme, matrix) =>
      matrix && hasLayers(matrix)
        ? importanceMap(matrix, `Importance matrix of ${set.model.name}`, theme)
        : undefined,
  },
  {
    name: 'exam',
    alt: 'Scatter plot: share of right answers in an exam of each file against its size',
    caption: 'Right answers against size.',
    draw: examPlot,
  },
];

function hasLayers({ entries }: ImportanceMatrix): boolean {
  return [...entries.keys()].some((name) => /^blk\.\d+\./.test(name));
}

/** @param matrix of the set, where it has one. */
export function setPictures(set: QuantSet, matrix: ImportanceMatrix | undefined): SetPicture[] {
  return PICTURES.flatMap(({ draw, more, name, alt, caption }) => {
    const picture = { name, alt, caption: `${caption}${more?.(set) ?? ''}` };
    const light = draw(set, 'light', matrix);
    return light
      ? { ...picture, spec: (theme) => (theme === 'light' ? light : (draw(set, theme, matrix) ?? light)) }
      : [];
  });
}
