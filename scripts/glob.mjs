import { readdirSync } from 'node:fs';

/** Files below `folder` whose path matches, sorted, with forward slashes. */
export function glob(folder, pattern) {
  return readdirSync(folder, { recursive: true })
    .map((name) => `${folder}/${String(name).replaceAll('\\', '/')}`)
    .filter((file) => pattern.test(file))
    .sort();
}
