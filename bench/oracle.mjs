/** The peer: llama.cpp's prebuilt libraries through the oracle scripts beside the checkout. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = process.env.BITMILL_ORACLE ?? path.join(ROOT, '..', 'shared', 'oracle');

/** @param file `ggml.mjs` or `llama.mjs`. Ends the process with a reason where the peer is missing. */
export async function loadOracle(file = 'ggml.mjs') {
  const ggml = path.join(FOLDER, 'ggml.mjs');
  const reason = existsSync(ggml)
    ? (await import(pathToFileURL(ggml).href)).unavailable()
    : `no oracle folder at ${FOLDER}`;
  if (reason) {
    console.error(`no peer to compare with: ${reason}`);
    process.exit(5);
  }
  return import(pathToFileURL(path.join(FOLDER, file)).href);
}
