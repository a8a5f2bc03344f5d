/** Where bitmill keeps what it can do without. */
import { homedir } from 'node:os';
import path from 'node:path';

/** `$BITMILL_CACHE`, else `bitmill` in `$XDG_CACHE_HOME` or `~/.cache`; it may not exist yet. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['BITMILL_CACHE']) return env['BITMILL_CACHE'];
  return path.join(env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'bitmill');
}
