/** The formats of tool calls: adding one = its file here and one line. The first that fits is taken. */
import type { ChatTemplate } from '../../../text/index.ts';
import type { ToolFormat } from '../types.ts';
import { described } from './described.ts';
import { hermes } from './hermes.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi } from './phi.ts';

/** A template that takes tools in a way that is not known says itself how to call them; Hermes' form is the commonest. */
const unknown: ToolFormat = { ...hermes, name: 'unknown', fits: (_, usesTools) => usesTools };

export const TOOL_FORMATS: readonly ToolFormat[] = [mistral, phi, hermes, llama, unknown, described];

export function formatOf(template: ChatTemplate): ToolFormat {
  const usesTools = template.uses('tools');
  return TOOL_FORMATS.find((format) => format.fits(template.source, usesTools)) ?? described;
}
