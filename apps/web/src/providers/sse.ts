/**
 * Server-sent events out of a stream of bytes, however the network cut it: inside a line end, a character, anywhere.
 * See the HTML standard, "Server-sent events". Of the fields only `data` is of use here.
 */

/** The data of each event, in order. An event without data, and one that the end cut off, is none. */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n');
      data = [];
    } else if (line.startsWith('data:')) {
      data.push(line.slice(line[5] === ' ' ? 6 : 5));
    } else if (line === 'data') {
      data.push('');
    }
  }
}

const LINE_END = /\r\n|\n|\r(?=[\s\S])/;

/** Lines without their ends: LF, CR or CR LF. A last line without an end is left out. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = '';
  for await (const text of texts(body)) {
    rest += text;
    // A CR at the very end may be half of a CR LF: it waits for what follows.
    for (let match = LINE_END.exec(rest); match; match = LINE_END.exec(rest)) {
      yield rest.slice(0, match.index);
      rest = rest.slice(match.index + match[0].length);
    }
  }
  if (rest.endsWith('\r')) yield rest.slice(0, -1);
}

/** Whole characters; a mark of the byte order is dropped. Leaving early cancels the stream. */
async function* texts(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      yield decoder.decode(chunk.value, { stream: true });
    }
    yield decoder.decode();
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
