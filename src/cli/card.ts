/** The model card of a folder of quants: README.md and its pictures. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, inputError } from '../core/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { exists, fileError } from '../platform/index.ts';
import {
  type CardPicture,
  cardText,
  keptOf,
  PICTURE_FOLDER,
  PICTURES,
  pictureFile,
  type QuantSet,
  renderPng,
  renderSvg,
  type SetPicture,
  setPictures,
  svgWidth,
} from '../report/index.ts';
import { readImportanceFile } from './imatrix-files.ts';
import { writeOutput } from './output.ts';
import { pngParts } from './pictures.ts';

export const CARD = 'README.md';

/** Largest card that is read for the notes in it, in bytes. */
const MAX_CARD = 2 ** 22;

export interface WrittenCard {
  /** Paths within the folder. */
  readonly card: string;
  readonly pictures: readonly string[];
}

type Warn = (message: string) => void;

async function writeBytes(file: string, bytes: Uint8Array): Promise<void> {
  await writeOutput(file, [], (sink) => sink.write(0, bytes));
}

/** The matrix of the set; undefined, with a warning, where its file is gone. */
async function matrixOf(
  folder: string,
  { imatrix }: QuantSet,
  warn: Warn,
): Promise<ImportanceMatrix | undefined> {
  if (!imatrix) return undefined;
  const file = path.join(folder, imatrix.file.name);
  if (!(await exists(file))) {
    warn(`${file} is not there: the card has no picture of the importance matrix`);
    return undefined;
  }
  return readImportanceFile(file);
}

/** The card as it stands. @throws input error: it is too large to be one. */
async function oldCard(file: string): Promise<string | undefined> {
  if (!(await exists(file))) return undefined;
  const { size } = await stat(file);
  if (size > MAX_CARD) throw inputError(file, `has ${size} bytes; a card of at most ${MAX_CARD} is replaced`);
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
}

/** Pictures as the card shows them, and the bytes of their files by name. */
interface Drawn {
  readonly pictures: readonly CardPicture[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** All pictures are drawn before the first is written. */
async function drawAll(pictures: readonly SetPicture[]): Promise<Drawn> {
  const files = new Map<string, Uint8Array>();
  const shown: CardPicture[] = [];
  if (pictures.length === 0) return { pictures: shown, files };
  const parts = await pngParts();
  const encoder = new TextEncoder();
  for (const { spec, ...picture } of pictures) {
    const { name } = picture;
    const light = await renderSvg(spec('light'), 'light');
    files.set(pictureFile(name, 'light'), encoder.encode(light));
    files.set(pictureFile(name, 'dark'), encoder.encode(await renderSvg(spec('dark'), 'dark')));
    files.set(pictureFile(name, 'png'), await renderPng(light, parts));
    const width = svgWidth(light);
    shown.push(width === undefined ? picture : { ...picture, width });
  }
  return { pictures: shown, files };
}

/** Drawn pictures; undefined, with a warning, where the packages that draw are not installed. */
async function drawn(pictures: readonly SetPicture[], warn: Warn): Promise<Drawn | undefined> {
  try {
    return await drawAll(pictures);
  } catch (error) {
    if (!(error instanceof BitmillError) || error.kind !== 'resources') throw error;
    warn(`the card has no pictures: ${error.message} (${error.hint ?? ''})`);
    return undefined;
  }
}

/** Writes pictures, and removes those of an earlier card that this set has no data for. @returns paths within the folder. */
async function writePictures(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<string[]> {
  const images = path.join(folder, PICTURE_FOLDER);
  if (files.size > 0) {
    await mkdir(images, { recursive: true }).catch((error: unknown) => {
      throw fileError(images, error);
    });
  }
  for (const [name, bytes] of files) await writeBytes(path.join(images, name), bytes);
  for (const { name } of PICTURES) {
    for (const kind of ['light', 'dark', 'png'] as const) {
      const file = pictureFile(name, kind);
      if (!files.has(file)) await rm(path.join(images, file), { force: true });
    }
  }
  return [...files.keys()].map((name) => `${PICTURE_FOLDER}/${name}`);
}

/**
 * Writes README.md and its pictures. What a publisher wrote between the markers of an older card is kept.
 * @param folder of the set, in which its importance matrix lies.
 * @throws input error: the importance matrix is none; resources error: the disk is full.
 */
export async function writeCard(folder: string, set: QuantSet, warn: Warn): Promise<WrittenCard> {
  const card = path.join(folder, CARD);
  const kept = keptOf(await oldCard(card));
  const pictures = setPictures(set, await matrixOf(folder, set, warn));
  const made = await drawn(pictures, warn);
  const written = made ? await writePictures(folder, made.files) : [];
  const text = cardText(set, { pictures: made?.pictures ?? [], kept });
  await writeBytes(card, new TextEncoder().encode(text));
  return { card: CARD, pictures: written };
}
