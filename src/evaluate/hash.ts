/** SHA-256 of what must agree between a base and what is measured against it. */
import { type GgufFile, getStrings } from '../gguf/index.ts';

/** Bytes of each tensor that tell one model from another. */
const SAMPLE = 256;

async function sha256(parts: readonly Uint8Array[]): Promise<string> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const digest = await crypto.subtle.digest('SHA-256', all);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const utf8 = new TextEncoder();

/** Of names, formats, shapes and the first bytes of every tensor: cheap, and different for any other quant. */
export async function hashModel(file: GgufFile): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const tensor of file.tensors) {
    const { name, format, shape, bytes } = tensor;
    parts.push(utf8.encode(`${JSON.stringify([name, format.name, shape])}\n`));
    const whole = Math.max(1, Math.floor(SAMPLE / format.blockBytes)) * format.blockBytes;
    parts.push(await file.read(tensor, 0, Math.min(bytes, whole)));
  }
  return sha256(parts);
}

/** Of the token strings, in order. */
export async function hashVocabulary(file: GgufFile): Promise<string | undefined> {
  const tokens = getStrings(file.metadata, 'tokenizer.ggml.tokens', file.name);
  return tokens && sha256([utf8.encode(JSON.stringify(tokens))]);
}

export function hashTokens(tokens: Int32Array): Promise<string> {
  return sha256([new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength)]);
}
