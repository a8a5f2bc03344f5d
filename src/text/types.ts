/**
 * A tokenizer: text to token ids and back. Whatever file the vocabulary comes from, this is what the rest of the
 * program sees.
 */

export interface TokenizeOptions {
  /** Read the texts of control tokens (`<|user|>`) as those tokens. Default false: they are text like any other. */
  readonly special?: boolean;
  /**
   * A character that is taken out of the text after special tokens were looked for: inside a token's text it keeps
   * that from being read as the token. See `guardControl`.
   */
  readonly guard?: string;
  /** Put BOS in front and EOS behind where the vocabulary says so (`addBos`, `addEos`). Default false. */
  readonly bos?: boolean;
}

export interface DetokenizeOptions {
  /** Write control tokens out as their texts. Default false: they are left out. */
  readonly special?: boolean;
  /**
   * The ids begin a text, so the space that `encode` puts in front (SentencePiece vocabularies) is left out.
   * Default true; false for ids that go on after others.
   */
  readonly start?: boolean;
}

/** Decodes one id at a time; what it returns is always whole characters. */
export interface StreamingDecoder {
  /** Text that became certain with this id; often empty, because a character may span tokens. */
  push(id: number): string;
  /** The rest; bytes of an unfinished character become U+FFFD. The decoder is then as new. */
  flush(): string;
}

export interface Tokenizer {
  readonly vocabularySize: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** Ends a turn of a chat. */
  readonly eot: number | undefined;
  readonly pad: number | undefined;
  /** Whether the vocabulary asks for BOS before every text. */
  readonly addBos: boolean;
  readonly addEos: boolean;
  /**
   * Ids of a text. Lone surrogates are read as U+FFFD.
   * Time grows as n log n in the length of the text at worst, linearly on words.
   */
  encode(text: string, options?: TokenizeOptions): Int32Array;
  /** Text of ids. Bytes that are not UTF-8 become U+FFFD, as TextDecoder does it. @throws usage error: no such id. */
  decode(ids: Iterable<number>, options?: DetokenizeOptions): string;
  /** Bytes that an id stands for; a control token's are those of its text. @throws usage error: no such id. */
  piece(id: number): Uint8Array;
  /** Id of the token that the vocabulary writes so (`▁the`, `Ġthe`, `<|end|>`). */
  tokenOf(text: string): number | undefined;
  /** Whether a generation ends with this id: EOS, end of turn, and tokens that are known to be such by their text. */
  isEndOfGeneration(id: number): boolean;
  /** Control tokens: those that `special` is about. */
  isControl(id: number): boolean;
  /** The text with `guard` inside every control token's text. */
  guardControl(text: string, guard: string): string;
  decoder(options?: DetokenizeOptions): StreamingDecoder;
}
