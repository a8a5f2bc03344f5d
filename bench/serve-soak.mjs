/**
 * Many requests, a good part of them bad, of every kind that a server meets. Each kind says what it expects; what came
 * instead is counted. The memory of the server is looked at all the while.
 */
import { chat, chatBody, head, raw, request, sleep, startServer } from './serve-child.mjs';

const PATH = '/v1/chat/completions';
const JSON_TYPE = { 'content-type': 'application/json' };

const QUESTIONS = [
  'What is the capital of France?',
  'What is 2 + 3?',
  'Which animal says moo?',
  'What colour is the sky?',
  'Say hello.',
  'What is the opposite of hot?',
];

const statusOf = (text) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);

async function posted(port, body, headers = JSON_TYPE) {
  return (await request(port, { method: 'POST', path: PATH, headers, body })).status;
}

/** Sends bytes and listens until the connection is closed. */
async function rawStatus(port, bytes) {
  return statusOf(await (await raw(port, bytes)).end);
}

/** Good requests are checked against the text that the question had alone. */
async function good({ port, model, texts, tokens }, at, stream) {
  const question = QUESTIONS[at % QUESTIONS.length];
  const { status, text, whole } = await chat(port, model, question, { stream, max_tokens: tokens });
  if (status !== 200) return status;
  if (!whole) return 'cut';
  return text === texts.get(question) ? 'answered' : 'other text';
}

async function slowReader({ port, model, texts, tokens }, at) {
  const question = QUESTIONS[at % QUESTIONS.length];
  let text = '';
  const { status, body } = await request(port, {
    method: 'POST',
    path: PATH,
    headers: JSON_TYPE,
    body: chatBody(model, question, { stream: true, max_tokens: tokens }),
    onData: (_, response) => {
      response.pause();
      setTimeout(() => response.resume(), 20);
    },
  });
  if (status !== 200) return status;
  for (const [, frame] of body.matchAll(/^data: (\{.*\})$/gm)) {
    text += JSON.parse(frame).choices[0]?.delta.content ?? '';
  }
  return text === texts.get(question) ? 'answered' : 'other text';
}

async function leaver({ port, model }, at, when) {
  const body = chatBody(model, `${QUESTIONS[at % QUESTIONS.length]} Tell me more.`, {
    stream: true,
    max_tokens: 500,
    temperature: 1,
  });
  const length = Buffer.byteLength(body);
  const { socket, end } = await raw(
    port,
    head(`POST ${PATH}`, { ...JSON_TYPE, 'content-length': length }) + body,
  );
  await when(socket, end);
  socket.destroy();
  return 'left';
}

async function slowBody({ port, model, texts, tokens }) {
  const body = chatBody(model, QUESTIONS[0], { max_tokens: tokens });
  const headers = { ...JSON_TYPE, 'content-length': Buffer.byteLength(body), connection: 'close' };
  const { socket, end } = await raw(port, head(`POST ${PATH}`, headers));
  for (let at = 0; at < body.length; at += 50) {
    socket.write(body.slice(at, at + 50));
    await sleep(10);
  }
  const text = await end;
  return text.includes(JSON.stringify(texts.get(QUESTIONS[0]))) ? 'answered' : statusOf(text);
}

async function chunkedFlood({ port }) {
  const first = head(`POST ${PATH}`, { ...JSON_TYPE, 'transfer-encoding': 'chunked' });
  const { socket, end } = await raw(port, first);
  const chunk = `10000\r\n${'x'.repeat(2 ** 16)}\r\n`;
  let answered = false;
  const answer = new Promise((done) => socket.once('data', done)).then(() => {
    answered = true;
  });
  for (let i = 0; i < 200 && !answered && !socket.destroyed; i++) {
    const room = socket.write(chunk);
    const drained = room ? sleep(0) : new Promise((done) => socket.once('drain', done));
    await Promise.race([drained, answer, end]);
  }
  return statusOf(await end);
}

async function pipelined({ port, model, texts, tokens }) {
  const body = chatBody(model, QUESTIONS[1], { max_tokens: tokens });
  const one = (last) =>
    head(`POST ${PATH}`, {
      ...JSON_TYPE,
      'content-length': Buffer.byteLength(body),
      ...(last ? { connection: 'close' } : {}),
    }) + body;
  const { end } = await raw(port, one(false) + one(true));
  const answers = (await end).split(JSON.stringify(texts.get(QUESTIONS[1]))).length - 1;
  return answers === 2 ? 'answered' : `${answers} of 2 answered`;
}

/** Kinds of requests: how many of a hundred, what is expected, how one is made. */
export const KINDS = {
  good: { share: 30, expected: 'answered', make: (server, at) => good(server, at, false) },
  'good stream': { share: 20, expected: 'answered', make: (server, at) => good(server, at, true) },
  'slow reader': { share: 4, expected: 'answered', make: slowReader },
  'slow body': { share: 2, expected: 'answered', make: slowBody },
  pipelined: { share: 2, expected: 'answered', make: pipelined },
  'leaves in the stream': {
    share: 5,
    expected: 'left',
    make: (server, at) =>
      leaver(server, at, (socket, end) =>
        Promise.race([new Promise((done) => socket.once('data', done)), end]),
      ),
  },
  'leaves at once': {
    share: 5,
    expected: 'left',
    make: (server, at) => leaver(server, at, () => sleep(at % 20)),
  },
  'half a body': {
    share: 4,
    expected: 'left',
    make: async ({ port }) => {
      const { socket } = await raw(
        port,
        `${head(`POST ${PATH}`, { ...JSON_TYPE, 'content-length': 1000 })}{"mess`,
      );
      await sleep(5);
      socket.destroy();
      return 'left';
    },
  },
  'huge body': {
    share: 3,
    expected: 413,
    make: ({ port }) => {
      const headers = { ...JSON_TYPE, 'content-length': 2 ** 40 };
      return rawStatus(port, head(`POST ${PATH}`, headers) + 'x'.repeat(2 ** 16));
    },
  },
  'huge body in chunks': { share: 1, expected: 413, make: chunkedFlood },
  'large body': { share: 2, expected: 413, make: ({ port }) => posted(port, `"${'x'.repeat(2 ** 20)}"`) },
  'no JSON': { share: 4, expected: 400, make: ({ port }) => posted(port, '{"messages":[') },
  'wrong types': {
    share: 4,
    expected: 400,
    make: ({ port }) => posted(port, '{"messages":[{"role":1,"content":{}}],"temperature":"hot","n":-1}'),
  },
  'deep JSON': {
    share: 1,
    expected: 400,
    make: ({ port }) => posted(port, `{"messages":${'['.repeat(5000)}${']'.repeat(5000)}}`),
  },
  'prompt too long': {
    share: 2,
    expected: 400,
    make: ({ port, model }) => posted(port, chatBody(model, 'word '.repeat(20_000))),
  },
  'other model': { share: 2, expected: 404, make: ({ port }) => posted(port, chatBody('other', 'Hello')) },
  'other type': {
    share: 2,
    expected: 415,
    make: ({ port }) => posted(port, 'hello', { 'content-type': 'text/plain' }),
  },
  'other method': {
    share: 2,
    expected: 405,
    make: async ({ port }) => (await request(port, { method: 'DELETE', path: PATH })).status,
  },
  'no route': {
    share: 2,
    expected: 404,
    make: async ({ port }) => (await request(port, { path: '/v1/x' })).status,
  },
  'bad host': {
    share: 1,
    expected: 403,
    make: ({ port }) =>
      rawStatus(port, head('GET /v1/models', { host: 'evil.example', connection: 'close' })),
  },
  'no HTTP': { share: 2, expected: 400, make: ({ port }) => rawStatus(port, '\x16\x03\x01hello\r\n\r\n') },
};

/** Kinds in a fixed mixed order: the same for every run. */
function* schedule(count) {
  const deck = Object.entries(KINDS).flatMap(([name, { share }]) =>
    Array.from({ length: share }, () => name),
  );
  let state = 1;
  for (let i = 0; i < count; i++) {
    // A linear congruential generator (Numerical Recipes); its high bits are good enough to mix.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield deck[Math.floor((state / 2 ** 32) * deck.length)];
  }
}

/** Slope of a line through points (x, y) by least squares. */
function slope(points) {
  const n = points.length;
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / n;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  const [sxy, sxx] = [mean(([x, y]) => (x - mx) * (y - my)), mean(([x]) => (x - mx) ** 2)];
  return sxx === 0 ? 0 : sxy / sxx;
}

/**
 * @param options `model`, `requests`, `workers` at once, `tokens` of an answer, `args` of the server.
 * @returns counts by kind and outcome, samples of the memory [requests done, MiB], what was not as expected.
 */
export async function soak({
  model,
  requests,
  workers,
  tokens,
  args = /** @type {string[]} */ ([]),
  tell = () => {},
}) {
  const server = await startServer(['-m', model, ...args]);
  const texts = new Map();
  for (const question of QUESTIONS) {
    texts.set(question, (await chat(server.port, server.model, question, { max_tokens: tokens })).text);
  }
  const context = { port: server.port, model: server.model, texts, tokens };
  const counts = {};
  const samples = [];
  const sample = async (done) => {
    const { heap } = await server.metrics();
    samples.push({ done, rss: server.rss(), heap });
    tell(done, samples.at(-1));
  };
  const every = Math.max(1, Math.floor(requests / 40));
  const kinds = schedule(requests);
  let started = 0;
  let done = 0;
  await sample(0);
  const work = async () => {
    for (let next = kinds.next(); !next.done; next = kinds.next()) {
      const kind = next.value;
      const outcome = await KINDS[kind].make(context, started++);
      counts[kind] ??= {};
      counts[kind][outcome] = (counts[kind][outcome] ?? 0) + 1;
      if (++done % every === 0) await sample(done);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: workers }, work));
  const seconds = (performance.now() - start) / 1000;
  const after = await settled(server);
  const code = await server.stop();
  const half = samples.filter((one) => one.done >= requests / 2);
  const quarters = [0, 1, 2, 3].map((i) => {
    const part = samples.filter(
      (one) => one.done > (i * requests) / 4 && one.done <= ((i + 1) * requests) / 4,
    );
    return { rss: Math.max(...part.map((one) => one.rss)), heap: Math.min(...part.map((one) => one.heap)) };
  });
  const unexpected = Object.entries(counts).flatMap(([kind, outcomes]) =>
    Object.entries(outcomes)
      .filter(([outcome]) => outcome !== String(KINDS[kind].expected))
      .map(([outcome, count]) => `${kind}: ${count} × ${outcome}`),
  );
  return {
    requests: done,
    seconds,
    counts,
    unexpected,
    samples,
    /** Most resident memory and least heap of each quarter, MiB: a heap that is collected now and then is known by its lows. */
    quarters,
    /** MiB a thousand requests, over the second half. */
    slope: {
      rss: 1000 * slope(half.map((one) => [one.done, one.rss])),
      heap: 1000 * slope(half.map((one) => [one.done, one.heap])),
    },
    after,
    code,
  };
}

/** What the server still does when nobody asks any more. */
async function settled(server) {
  for (let i = 0; ; i++) {
    const { bitmill_slots_active: active, bitmill_requests_waiting: waiting } = await server.metrics();
    if ((active === 0 && waiting === 0) || i === 100) return { active, waiting };
    await sleep(100);
  }
}
