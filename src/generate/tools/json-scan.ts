/** Where a JSON object or list ends, in text that comes in pieces. What is inside is left to JSON.parse. */
export class JsonScan {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Reads on. @returns the index behind the value in `text`, or -1 where it goes on behind the text. */
  read(text: string, from: number): number {
    for (let at = from; at < text.length; at++) {
      const letter = text[at];
      if (this.#inString) this.#inside(letter);
      else if (letter === '"') this.#inString = true;
      else if (letter === '{' || letter === '[') this.#depth++;
      else if ((letter === '}' || letter === ']') && --this.#depth === 0) return at + 1;
    }
    return -1;
  }

  #inside(letter: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (letter === '\\') this.#escaped = true;
    else if (letter === '"') this.#inString = false;
  }
}
