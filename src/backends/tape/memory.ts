/** What a backend with tapes needs of its memory. Addresses are plain numbers; 0 is no block. */
export interface TapeMemory {
  /** Bytes that all blocks together may take. */
  readonly capacity: number;
  /** Bytes that blocks take now. */
  readonly used: number;
  /**
   * Address of `bytes` bytes, a multiple of 64. @throws resources error: no room.
   * @param label what they are for, for the error. @param clear zeroes the bytes, the default; else they may hold anything.
   */
  alloc(bytes: number, label: string, clear?: boolean): number;
  free(address: number): void;
  /** A view for use at once: it may be stale after the next `alloc` or `free`. */
  bytes(address: number, length: number): Uint8Array;
  /** Gives everything back, once no thread works on it any more. */
  close(): void;
}
