/**
 * Models that come with the program and are meant by a bare name. Each is a checkpoint's folder in `models/` of the
 * package; adding one = the folder and a line here. A file or folder of that name is written `./phi3-tiny`.
 */
import { fileURLToPath } from 'node:url';

/** Two levels up from src/platform and dist/platform alike. */
const packageFolder = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Folders by name; a map, so that tests can put a tiny one in. */
export const EMBEDDED_MODELS = new Map<string, string>([['phi3-tiny', packageFolder('models/phi3-tiny')]]);

/** A name that stands for an embedded model, perhaps in one type: `phi3-tiny:Q4_K_M`. */
export interface EmbeddedName {
  readonly name: string;
  readonly folder: string;
  readonly type?: string;
}

/** What a name without separator and extension stands for; undefined for everything else. */
export function embeddedModel(text: string): EmbeddedName | undefined {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const folder = EMBEDDED_MODELS.get(name);
  if (folder === undefined) return undefined;
  return { name, folder, ...(colon < 0 ? {} : { type: text.slice(colon + 1) }) };
}

/** For a bare name that leads nowhere: which ones there are. */
export function embeddedHint(text: string): string | undefined {
  if (!/^[\w-]+(:\w*)?$/.test(text)) return undefined;
  return `models that come with bitmill: ${[...EMBEDDED_MODELS.keys()].join(', ')}`;
}
