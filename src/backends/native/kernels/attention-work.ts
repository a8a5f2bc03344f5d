/** What both kernels of attention share: arguments and sizes as variables, and the pieces of work, span by span. */
import {
  SPAN_BYTES,
  SPAN_FIRST,
  SPAN_PAST,
  SPAN_ROWS,
  SPAN_START,
} from '../../wasm/kernels/spans-layout.as.ts';
import type { KernelBuilder } from '../kernel.ts';
import { mem, rbx } from '../x64/index.ts';
import { BLOCK_ROWS, FRAME_BYTES, TILE_KEYS } from './attention-layout.ts';
import { Frame } from './frame.ts';

/**
 * Arguments, as of the kernel of the same name in wasm: queries and output with the bytes from row to row; the caches
 * with their types and bytes of a row; sizes; `most` rows of a piece at most; the table of spans.
 */
export const ATTENTION_ARGS = [
  'q',
  'qStride',
  'out',
  'outStride',
  'keys',
  'keyType',
  'keyBytes',
  'values',
  'valueType',
  'valueBytes',
  'heads',
  'kvHeads',
  'size',
  'window',
  'scale',
  'most',
  'span',
  'spans',
] as const;

/** A window that leaves out nothing. */
const NO_WINDOW = 2 ** 31 - 1;

/**
 * Emits the begin of a kernel. @param more integer arguments beside the common ones.
 * @param allHeads whether scratch has room for the rows of all key-value heads at once.
 * @returns variables: all arguments, `group` H/K, `row` bytes of a padded head, `record` bytes, places in scratch.
 */
export function prologue(k: KernelBuilder, more: readonly string[] = [], allHeads = false): Frame {
  k.registers.reserve(rbx, 'frame');
  k.x.mov(rbx, k.scratch);
  const f = new Frame(k, rbx, FRAME_BYTES);
  k.scope(() => {
    const value = k.gpr('value');
    for (const name of [...ATTENTION_ARGS, ...more]) {
      k.x.vcvttsd2si(value, k.arg(name));
      f.define(name, value);
    }
    const scale = k.registers.xmm('scale');
    k.x.vcvtsd2ss(scale, scale, k.arg('scale'));
    k.x.vmovss_store(f.at('scale'), scale);
  });
  f.define('counter', k.counter);
  k.free(k.thread, k.threads, k.scratch, k.counter, k.record);
  derive(k, f, allHeads);
  return f;
}

function derive(k: KernelBuilder, f: Frame, allHeads: boolean): void {
  f.declare('group', 'remainder', 'sizeBytes', 'row', 'record');
  f.divide('heads', 'kvHeads', 'group', 'remainder');
  f.set('sizeBytes', 'size', ['*', 4]);
  k.scope(() => {
    const window = f.load('window');
    k.x.test(window, window);
    k.when('e', () => f.store('window', NO_WINDOW));
    const padded = f.compute('sizeBytes', ['+', 63]);
    k.x.and(padded, -64);
    f.store('row', padded);
    f.set('record', 'row', ['+', 128]);
  });
  f.define('tileRow', 4 * TILE_KEYS);
  f.declare(
    'room',
    'space',
    'positionBytes',
    'tile',
    'turned',
    'positions',
    'queries',
    'records',
    'results',
    'scores',
  );
  k.scope(() => {
    f.set('room', 'most', ['+', BLOCK_ROWS]);
    f.set('space', 'room', ['*', allHeads ? 'kvHeads' : 1]);
    const bytes = f.compute('room', ['*', 4], ['+', 63]);
    k.x.and(bytes, -64);
    f.store('positionBytes', bytes);
    const place = k.gpr('place');
    k.x.lea(place, mem(rbx, FRAME_BYTES));
    f.store('tile', place);
  });
  const rows = (name: string, before: string, bytes: string, count: string | number): void =>
    f.set(name, bytes, ['*', count], ['+', before]);
  rows('turned', 'tile', 'row', TILE_KEYS);
  rows('positions', 'turned', 'row', TILE_KEYS);
  rows('queries', 'positions', 'positionBytes', 1);
  rows('records', 'queries', 'row', 'space');
  rows('results', 'records', 'record', 'space');
  rows('scores', 'results', 'record', 'space');
}

/** Emits: the next piece's number to variable `piece`. */
function claim(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [counter, piece] = [f.load('counter'), k.gpr('piece')];
    k.x.mov(piece, 1);
    k.x.lockXadd32(mem(counter), piece);
    k.x.load32s(piece, piece);
    f.store('piece', piece);
  });
}

/**
 * Emits the loop over the pieces that this thread gets. The body finds the variables `head`, `first` (row of the
 * piece), `m` (rows), `firstToken`, `firstMember` (query position and member of the group of the first row), `past`,
 * `start` (the first position looked at, a multiple of a tile) and `end`, `column` of the head in the caches,
 * `spanQueries`, `spanOut`, `spanKeys`, `spanValues` (rows of token and position 0).
 */
export function eachPiece(k: KernelBuilder, f: Frame, body: () => void): void {
  eachItem(k, f, {
    count: () => {
      f.set('chunks', 'spanRows', ['+', 'most'], ['-', 1]);
      f.divide('chunks', 'most', 'chunks', 'remainder');
      f.set('items', 'chunks', ['*', 'kvHeads']);
    },
    open: () => openPiece(k, f),
    body,
  });
}

/** How spans are cut into items: sets `items` of a span; finds out what item `index` is; handles it. */
export interface Items {
  count(): void;
  open(): void;
  body(): void;
}

/** Emits the loop over the items that this thread gets, span by span. */
export function eachItem(k: KernelBuilder, f: Frame, { count, open, body }: Items): void {
  f.declare('piece', 'before', 'tokens', 'past', 'spanRows', 'chunks', 'items', 'spanToken');
  f.declare('spanQueries', 'spanOut', 'spanKeys', 'spanValues');
  f.declare('index', 'head', 'chunk', 'first', 'm', 'firstToken', 'firstMember', 'start', 'end', 'column');
  const [spans, done] = [k.label(), k.label()];
  claim(k, f);
  f.store('before', 0);
  k.bind(spans);
  k.x.cmp(f.at('spans'), 0);
  k.j('e', done);
  openSpan(k, f);
  count();
  const [pieces, end] = [k.here(), k.label()];
  f.set('index', 'piece', ['-', 'before']);
  k.scope(() => {
    k.x.cmp(f.load('index'), f.at('items'));
    k.j('ge', end);
  });
  open();
  body();
  claim(k, f);
  k.jmp(pieces);
  k.bind(end);
  f.set('before', 'before', ['+', 'items']);
  f.set('span', 'span', ['+', SPAN_BYTES]);
  f.set('spans', 'spans', ['-', 1]);
  k.jmp(spans);
  k.bind(done);
}

function openSpan(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [span, value] = [f.load('span'), k.gpr('value')];
    const field = (offset: number): typeof value => {
      k.x.load32s(value, mem(span, offset));
      return value;
    };
    f.store('tokens', field(SPAN_ROWS));
    f.store('past', field(SPAN_PAST));
    f.store('spanToken', field(SPAN_FIRST));
    f.set('spanQueries', value, ['*', 'qStride'], ['+', 'q']);
    f.set('spanOut', value, ['*', 'outStride'], ['+', 'out']);
    field(SPAN_START);
    f.set('spanKeys', value, ['*', 'keyBytes'], ['+', 'keys']);
    f.set('spanValues', value, ['*', 'valueBytes'], ['+', 'values']);
  });
  f.set('spanRows', 'tokens', ['*', 'group']);
}

/** The last rows come first: they have the most positions to look at. */
function openPiece(k: KernelBuilder, f: Frame): void {
  f.divide('index', 'kvHeads', 'chunk', 'head');
  f.set('first', 'chunks', ['-', 1], ['-', 'chunk'], ['*', 'most']);
  f.set('m', 'spanRows', ['-', 'first']);
  f.lower('m', 'most');
  f.set('end', 'first', ['+', 'm'], ['-', 1]);
  f.divide('end', 'group', 'end', 'remainder');
  f.set('end', 'end', ['+', 'past'], ['+', 1]);
  f.divide('first', 'group', 'firstToken', 'firstMember');
  f.set('column', 'head', ['*', 'size']);
  openPositions(k, f);
}

/** Emits: `start`, where the first row's window begins, down to a whole tile. */
export function openPositions(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const none = k.gpr('none');
    k.clear(none);
    const start = f.compute('firstToken', ['+', 'past'], ['+', 1], ['-', 'window']);
    k.x.cmp(start, none);
    k.x.cmov('l', start, none);
    k.x.and(start, -TILE_KEYS);
    f.store('start', start);
  });
}
