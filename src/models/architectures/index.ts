/** The registry of architectures: adding one = its file here and one line. */
import type { Architecture } from '../language-model.ts';
import { llama } from './llama.ts';
import { phi3 } from './phi3.ts';

export const ARCHITECTURES: readonly Architecture[] = [phi3, llama];
