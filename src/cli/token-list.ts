/** Tokens as people read them: the id, and what it stands for. */
import type { Tokenizer } from '../text/index.ts';

/** What a token stands for: its text, or its bytes where they are no text on their own. */
function pieceText(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.piece(id);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
  }
}

export function listTokens(tokenizer: Tokenizer, ids: Int32Array): { id: number; text: string }[] {
  return Array.from(ids, (id) => ({ id, text: pieceText(tokenizer, id) }));
}
