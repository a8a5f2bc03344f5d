/** API keys: read from a file, compared without telling how much of a guess was right. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { inputError } from '../../core/index.ts';
import { fileError } from '../../platform/index.ts';

/** Bits of a file's mode that let others read it. */
const OTHERS_READ = 0o044;
const LEAST_LENGTH = 8;

/**
 * One key a line; empty lines and those that begin with # are left out.
 * @throws input error: no file, no key in it, or a line that is none.
 */
export async function readApiKeys(file: string, warn: (message: string) => void): Promise<readonly string[]> {
  const [text, { mode }] = await Promise.all([readFile(file, 'utf8'), stat(file)]).catch((error) => {
    throw fileError(file, error);
  });
  if (process.platform !== 'win32' && (mode & OTHERS_READ) !== 0) {
    warn(`${file}: other users of this machine can read the keys; chmod 600 ends that`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.flatMap((line, index) =>
    line === '' || line.startsWith('#') ? [] : [checkKey(line, `${file}: line ${index + 1}`)],
  );
  if (keys.length === 0) throw inputError(file, 'has no key', 'one a line; # begins a comment');
  return keys;
}

function checkKey(key: string, place: string): string {
  if (!/^[!-~]+$/.test(key)) throw inputError(place, 'a key is printable ASCII without spaces');
  if (key.length < LEAST_LENGTH) throw inputError(place, `a key has at least ${LEAST_LENGTH} characters`);
  return key;
}

/** Says which of the keys a request has: its number, or undefined. */
export type KeyCheck = (authorization: string | undefined) => number | undefined;

/** Digests have one length, so a comparison takes the same time for any guess. */
export function keyCheck(keys: readonly string[]): KeyCheck {
  const digests = keys.map(digest);
  return (authorization) => {
    const given = digest(/^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '');
    let found: number | undefined;
    for (const [index, known] of digests.entries()) if (timingSafeEqual(known, given)) found = index;
    return found;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
