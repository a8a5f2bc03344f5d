/**
 * Labels beside points, so that none covers another label, a point or the edge. A label tries places around its point,
 * near ones first; each takes its cheapest place in turn until none wants to move. The same points give the same places.
 */

/** All in pixels, y downwards. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  /** x and y are those of the middle. */
  readonly width: number;
  readonly height: number;
}

export interface LabelledPoint extends Point {
  readonly text: string;
}

export interface PlacedLabel extends Box {
  /** Index of its point. */
  readonly of: number;
  readonly text: string;
  /** The label is so far from its point that a line must lead to it: its end at the label. */
  readonly leader: Point | undefined;
}

/** What is in the way of labels. */
export interface Obstacles {
  /** Ends of lines: error bars, the front. Crossing them costs, but is allowed. */
  readonly lines: readonly (readonly [Point, Point])[];
  /** Text that stands already. */
  readonly boxes: readonly Box[];
}

/** Size of the letters, and of the marks of points. */
export const LABEL_SIZE = 11;
const LETTER_WIDTH = 0.68 * LABEL_SIZE;
const NARROW = /[_1IlfijrtJ.,:;'| -]/g;
const LABEL_HEIGHT = LABEL_SIZE + 3;
const MARK_RADIUS = 6;

/** Gaps between point and label that are tried, and how many directions; a line leads over gaps larger than `LED`. */
const GAPS = [8, 11, 15, 20, 27, 36, 48, 62, 80, 100, 125];
const DIRECTIONS = 24;
const LED = 14;

/**
 * Costs: of covering what must not be covered, of crossing a line, of a pixel of distance, of another point that is
 * nearer than a label's own (with a leader that says whose it is, too).
 */
const COST = { covered: 1e4, crossed: 14, gap: 1, away: 5, nearer: 40, nearerLed: 10 } as const;

/** Rounds of improvement at most. */
const ROUNDS = 60;

/** An upper estimate in Inter and in what viewers take instead. */
export function labelWidth(text: string): number {
  const narrow = text.match(NARROW)?.length ?? 0;
  return Math.ceil((text.length - 0.28 * narrow) * LETTER_WIDTH) + 4;
}

export function overlap(a: Box, b: Box): boolean {
  return Math.abs(a.x - b.x) * 2 < a.width + b.width && Math.abs(a.y - b.y) * 2 < a.height + b.height;
}

/** Whether a line goes through a box (Liang and Barsky's clipping). */
function crosses([from, to]: readonly [Point, Point], box: Box): boolean {
  let [enter, leave] = [0, 1];
  for (const [start, delta, middle, half] of [
    [from.x, to.x - from.x, box.x, box.width / 2],
    [from.y, to.y - from.y, box.y, box.height / 2],
  ]) {
    const [low, high] = [middle - half - start, middle + half - start];
    if (delta === 0) {
      if (low > 0 || high < 0) return false;
      continue;
    }
    enter = Math.max(enter, Math.min(low / delta, high / delta));
    leave = Math.min(leave, Math.max(low / delta, high / delta));
  }
  return enter < leave;
}

interface Place {
  readonly box: Box;
  readonly leader: readonly [Point, Point] | undefined;
  /** Cost of everything but other labels. */
  readonly own: number;
}

/** The point of a box that is nearest to another. */
function nearest(box: Box, { x, y }: Point): Point {
  const clamp = (value: number, middle: number, half: number) =>
    Math.min(middle + half, Math.max(middle - half, value));
  return { x: clamp(x, box.x, box.width / 2), y: clamp(y, box.y, box.height / 2) };
}

/** Places of one label with what each costs, the cheapest first; those outside of the area are left out. */
function placesOf(
  point: LabelledPoint,
  points: readonly Point[],
  area: { readonly width: number; readonly height: number },
  { lines, boxes }: Obstacles,
): Place[] {
  const [width, height] = [labelWidth(point.text), LABEL_HEIGHT];
  const places: Place[] = [];
  for (const gap of GAPS) {
    for (let d = 0; d < DIRECTIONS; d++) {
      const angle = (2 * Math.PI * d) / DIRECTIONS;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      // The label slides around its point: its near corner or edge lies in the direction.
      const slide = (value: number): number => Math.max(-1, Math.min(1, 1.6 * value));
      const box = {
        x: point.x + gap * cos + (slide(cos) * width) / 2,
        y: point.y - gap * sin - (slide(sin) * height) / 2,
        width,
        height,
      };
      const inside =
        box.x >= width / 2 &&
        box.y >= height / 2 &&
        box.x <= area.width - width / 2 &&
        box.y <= area.height - height / 2;
      if (!inside) continue;
      const leader = gap > LED ? ([point, nearest(box, point)] as const) : undefined;
      const marks = points.filter((one) =>
        overlap(box, { ...one, width: 2 * MARK_RADIUS, height: 2 * MARK_RADIUS }),
      );
      const covered = marks.length + boxes.filter((one) => overlap(box, one)).length;
      const crossed = lines.filter((line) => crosses(line, box)).length;
      const through = leader
        ? points.filter(
            (one) => one !== point && crosses(leader, { ...one, width: MARK_RADIUS, height: MARK_RADIUS }),
          ).length
        : 0;
      const distance = (one: Point): number => {
        const { x, y } = nearest(box, one);
        return Math.hypot(one.x - x, one.y - y);
      };
      const mine = distance(point);
      const nearer = points.some((one) => one !== point && distance(one) < mine);
      const doubt = nearer ? (leader ? COST.nearerLed : COST.nearer) : 0;
      // To the right and above reads best.
      const away = COST.away * (2 - cos - sin) * (leader ? 0.2 : 1);
      const own =
        COST.covered * covered + COST.crossed * (crossed + 2 * through) + COST.gap * gap + away + doubt;
      places.push({ box, leader, own });
    }
  }
  return places.sort((a, b) => a.own - b.own);
}

/** What two labels at such places cost each other. */
function conflict(a: Place, b: Place): number {
  let cost = overlap(a.box, b.box) ? COST.covered : 0;
  if (a.leader && crosses(a.leader, b.box)) cost += COST.covered / 10;
  if (b.leader && crosses(b.leader, a.box)) cost += COST.covered / 10;
  return cost;
}

/** What a place costs beside the others that are chosen; adds no further once it is not below `limit`. */
function costOf(place: Place, i: number, chosen: readonly Place[], limit: number): number {
  let cost = place.own;
  for (let j = 0; j < chosen.length && cost < limit; j++) if (j !== i) cost += conflict(place, chosen[j]);
  return cost;
}

/** Improves places in turn, in that order, until none moves. @returns the cost of all. */
function settle(choices: readonly (readonly Place[])[], order: readonly number[], chosen: Place[]): number {
  const whole = (i: number): number => costOf(chosen[i], i, chosen, Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    let moved = false;
    for (const i of order) {
      let best = whole(i);
      for (const place of choices[i]) {
        // The rest costs as much without any other label.
        if (place.own >= best) break;
        const cost = costOf(place, i, chosen, best);
        if (cost < best) [best, chosen[i], moved] = [cost, place, true];
      }
    }
    if (!moved) break;
  }
  return chosen.reduce((sum, _, i) => sum + whole(i), 0);
}

/**
 * A label for each point, in their order; a point without any place inside of the area gets none.
 * @param area of the plot; all coordinates are in it.
 */
export function placeLabels(
  points: readonly LabelledPoint[],
  area: { readonly width: number; readonly height: number },
  obstacles: Obstacles = { lines: [], boxes: [] },
): PlacedLabel[] {
  const all = points
    .map((point, of) => ({ point, of, places: placesOf(point, points, area, obstacles) }))
    .filter(({ places }) => places.length > 0);
  const choices = all.map(({ places }) => places);
  const crowd = all.map(
    ({ point }) => points.filter((one) => Math.hypot(one.x - point.x, one.y - point.y) < 60).length,
  );
  const indices = all.map((_, i) => i);
  // Who chooses first decides where the turns end: several orders, and the best of their ends.
  const orders = [
    indices,
    indices.toReversed(),
    indices.toSorted((a, b) => crowd[b] - crowd[a]),
    indices.toSorted((a, b) => crowd[a] - crowd[b]),
    indices.toSorted((a, b) => all[a].point.y - all[b].point.y),
  ];
  let best: { cost: number; chosen: Place[] } | undefined;
  for (const order of orders) {
    const chosen = choices.map(([cheapest]) => cheapest);
    const cost = settle(choices, order, chosen);
    if (!best || cost < best.cost) best = { cost, chosen };
  }
  return (best?.chosen ?? []).map(({ box, leader }, i) => ({
    ...box,
    of: all[i].of,
    text: all[i].point.text,
    leader: leader?.[1],
  }));
}
