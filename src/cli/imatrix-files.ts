/** Importance matrices of the command line: files in, files out. */
import path from 'node:path';
import { type ImportanceMatrix, readImportanceMatrix, writeImportanceMatrix } from '../imatrix/index.ts';
import { openFile, writeAtomically } from '../platform/index.ts';

export type Form = ImportanceMatrix['form'];

export const FORMS = ['gguf', 'dat'] as const satisfies readonly Form[];

/** The form that a file's name asks for. */
export function formOf(file: string): Form {
  return path.extname(file).toLowerCase() === '.dat' ? 'dat' : 'gguf';
}

/** @throws input error: missing, or no importance matrix. */
export async function readImportanceFile(file: string): Promise<ImportanceMatrix> {
  const source = await openFile(file);
  try {
    return await readImportanceMatrix(source);
  } finally {
    await source.close();
  }
}

/** Writes the file; it appears when it is whole. */
export async function writeImportanceFile(file: string, matrix: ImportanceMatrix): Promise<void> {
  const bytes = writeImportanceMatrix(matrix, matrix.form);
  await writeAtomically(file, (sink) => sink.write(0, bytes));
}
