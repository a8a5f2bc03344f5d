/**
 * Tokens known by their texts: files seldom say which tokens end a turn or a generation, and some give control
 * tokens the wrong kind. The lists are those that llama.cpp goes by (llama-vocab.cpp, 2026).
 */

/** End of a turn, the likeliest first: a vocabulary may hold several. */
export const END_OF_TURN_TEXTS = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '<｜end▁of▁sentence｜>',
  '<end_of_utterance>',
] as const;

/** End of a message, a tool call or the whole text. */
const END_TEXTS = [
  ...END_OF_TURN_TEXTS,
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '</s>',
  '<|eom_id|>',
  '[EOS]',
  '<eos>',
  '<turn|>',
  '<|tool_response>',
  '[e~[',
] as const;

/** Of fill-in-the-middle: padding, a repository's name, the seam between files. They end a generation, too. */
const FILL_END_TEXTS = [
  ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'],
  ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'],
  ['<|file_sep|>'],
] as const;

/** Of fill-in-the-middle: what stands before, behind and in the gap. */
const FILL_TEXTS = [
  ['<|fim_prefix|>', '<fim-prefix>', '<fim_prefix>', '<｜fim▁begin｜>', '<PRE>', '▁<PRE>', '<|code_prefix|>'],
  ['<|fim_suffix|>', '<fim-suffix>', '<fim_suffix>', '<｜fim▁hole｜>', '<SUF>', '▁<SUF>', '<|code_suffix|>'],
  ['<|fim_middle|>', '<fim-middle>', '<fim_middle>', '<｜fim▁end｜>', '<MID>', '▁<MID>', '<|code_middle|>'],
  ['<|prefix|>', '<|suffix|>', '<|middle|>'],
] as const;

/** Control tokens whatever kind a file gives them. */
export const CONTROL_TEXTS: ReadonlySet<string> = new Set(
  [END_TEXTS, ...FILL_END_TEXTS, ...FILL_TEXTS].flat(),
);

/** Tokens of the harmony format that are always written out, so that a reader sees its channels. */
export const RENDERED_TEXTS: ReadonlySet<string> = new Set([
  '<|channel|>',
  '<|message|>',
  '<|start|>',
  '<|constrain|>',
]);

/** Where all the first are there, the second does not end a generation but a part of it. */
const EXCEPTIONS: readonly (readonly [readonly string[], string])[] = [
  [['<|return|>', '<|call|>'], '<|end|>'],
  [['<|calls|>', '<|flush|>'], '<|end|>'],
  [['<|tool_response>'], '</s>'],
];

/** Ids that end a generation. @param named ids that the file itself names as such. */
export function endsGeneration(
  ids: ReadonlyMap<string, number>,
  named: readonly (number | undefined)[],
): ReadonlySet<number> {
  const texts = [...END_TEXTS, ...FILL_END_TEXTS.map((group) => group.find((text) => ids.has(text)))];
  const found = [...texts.map((text) => ids.get(text ?? '')), ...named];
  const ends = new Set(found.filter((id) => id !== undefined));
  for (const [present, not] of EXCEPTIONS) {
    const id = ids.get(not);
    if (id !== undefined && present.every((text) => ids.has(text))) ends.delete(id);
  }
  return ends;
}
