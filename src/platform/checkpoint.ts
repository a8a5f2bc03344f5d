/** The files of a checkpoint in a folder. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '../core/index.ts';
import { type CheckpointFiles, isPlainName } from '../hf/index.ts';
import { fileError, isErrno, openFile } from './files.ts';

/**
 * A folder as checkpoint files. Links to files elsewhere are followed (the Hugging Face cache consists of them),
 * but no name leads out of the folder.
 * @param folder path of the folder.
 * @param name how messages call the checkpoint; default: the path.
 */
export function folderFiles(folder: string, name = folder): CheckpointFiles {
  return {
    name,
    list: async () => {
      try {
        const names = await readdir(folder);
        return names.filter(isPlainName).sort();
      } catch (error) {
        throw fileError(folder, error);
      }
    },
    open: async (file) => {
      if (!isPlainName(file)) throw inputError(folder, `"${file}" is not the name of a file in this folder`);
      const target = path.join(folder, file);
      // Asked before opening: opening a named pipe would wait for its writer.
      const info = await stat(target).catch((error: unknown) => {
        if (isErrno(error, 'ENOENT')) return undefined;
        throw fileError(target, error);
      });
      if (!info) return undefined;
      if (!info.isFile())
        throw inputError(target, info.isDirectory() ? 'is a folder' : 'is not a regular file');
      return openFile(target);
    },
  };
}
