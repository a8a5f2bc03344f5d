/** `bitmill serve`: models behind OpenAI's HTTP API, with a chat page. */
import type { Command } from 'commander';
import { formatSize } from '../../core/index.ts';
import {
  ApiServer,
  LOG_LEVELS,
  type LogLevel,
  Metrics,
  modelApi,
  openLog,
  readPage,
  type ServedModel,
} from '../../server/index.ts';
import { addEngineOptions } from '../engine.ts';
import { collect, parseChoice, parseCount, parseWhole } from '../option-values.ts';
import { type ModelFlags, openModels, type ServedModels } from '../serve/models.ts';
import { namedModels } from '../serve/names.ts';
import { type ServerFlags, type ServerPlan, serverPlan } from '../serve/settings.ts';
import { awaitSignals } from '../serve/signals.ts';
import { colours, jsonText } from '../terminal.ts';
import { VERSION } from '../version.ts';

interface Flags extends ModelFlags, ServerFlags {
  readonly model: readonly string[];
  readonly slots?: string;
  readonly queue: string;
  readonly log: string;
  readonly json?: boolean;
}

const MOST_WAITING = 100_000;

const EXPLANATION = `
Examples:
  bitmill serve -m phi3-tiny
  bitmill serve -m model-Q4_K_M.gguf --port 8000 --slots 4 -c 8192
  bitmill serve -m small=a.gguf -m large=b.gguf --api-key-file keys --host 0.0.0.0

Clients of OpenAI's API use http://127.0.0.1:8080/v1 as their base address; a browser finds a chat page at /.
/health says ok, loading or draining, /metrics has numbers for Prometheus, /openapi.json describes the API.

Requests share a model: each has a slot with a context of its own (-c), and what all of them need goes through the model
together. More requests than slots wait, --queue of them; beyond that the answer is 429.

The server listens on this machine only, and answers no pages of other sites. --host with another address needs keys or
--insecure. Behind a proxy, --allow-host names the host that clients ask for.

SIGTERM or Ctrl-C: no more requests are taken, answers under way are finished, for --drain-seconds at most; a second
signal ends at once. Log lines go to stderr as JSON, one a request, without prompts and answers.`;

export function defineServe(command: Command): void {
  command.name('serve').description("serve models behind OpenAI's HTTP API, with a chat page");
  addEngineOptions(command, 'f16', 'many')
    .option('-c, --ctx-size <n>', 'positions of a slot (default: 4096, or what the model was trained for)')
    .option('--slots <n>', 'requests that are answered at once (default: what fits the memory, up to 16)')
    .option('--queue <n>', 'requests that wait at most', '256')
    .option('--port <n>', '0: any that is free', '8080')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--api-key-file <file>', 'requests need one of its keys, one a line')
    .option('--insecure', 'listen on other addresses than loopback without keys')
    .option('--allow-host <name>', 'answer requests for this host, too; repeatable', collect, [])
    .option('--cors <origin>', 'pages of this origin may ask; *: all; repeatable', collect, [])
    .option('--connect <origin>', 'the chat page may ask this server, too; repeatable', collect, [])
    .option('--max-body <size>', 'bytes of a request at most', '1MiB')
    .option('--max-tokens <n>', 'tokens of an answer at most (default: the context)')
    .option('--request-seconds <n>', 'time of a request, waiting included', '600')
    .option('--idle-seconds <n>', 'time that a reader may leave an answer unread', '60')
    .option('--drain-seconds <n>', 'time for answers under way when the server is stopped', '60')
    .option('--web <folder>', 'another chat page')
    .option('--no-web', 'no chat page')
    .option(`--log <${LOG_LEVELS.join('|')}>`, 'what is logged', 'info')
    .option('--log-prompts', 'log prompts and answers, too')
    .option('--json', 'print a line of JSON when the server is ready')
    .addHelpText('after', EXPLANATION)
    .action((flags: Flags) => serve(flags));
}

async function serve(flags: Flags): Promise<void> {
  const c = colours(process.stderr);
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  const named = namedModels(flags.model);
  const slots = flags.slots === undefined ? undefined : parseCount('--slots', flags.slots);
  const queue = parseWhole('--queue', flags.queue, 0, MOST_WAITING);
  const log = openLog(parseChoice('--log', flags.log, LOG_LEVELS) satisfies LogLevel);
  const plan = await serverPlan(flags, (message) => note(`${c.yellow('warning:')} ${message}`));
  const { settings, host, port, limits, hosts } = plan;
  const page = settings.webRoot === undefined ? undefined : await readPage(settings.webRoot, plan.connect);
  const metrics = new Metrics();
  // Listens first: a port that is taken is told before gigabytes are read.
  const server = await ApiServer.open({ settings, host, port, limits, hosts, page, metrics, log });
  const stopped = awaitSignals();
  let served: ServedModels | undefined;
  // While weights are read there is nothing to finish.
  void stopped.first.then(() => served ?? process.exit(0));
  try {
    served = await openModels(named, flags, { slots, queue });
    const { models } = served;
    metrics.watch(models);
    server.serve(modelApi(models, settings, { log, version: VERSION }), services(models));
    tell(server, served, plan, page !== undefined, flags.json ?? false);
    await stopped.first;
    note(`stopping: answers under way have ${plan.drainSeconds} s; a second signal ends at once`);
  } finally {
    const cut = await server.drain(served ? plan.drainSeconds : 0, stopped.second);
    await served?.close();
    stopped.release();
    if (cut > 0) note(`${cut} ${cut === 1 ? 'answer was' : 'answers were'} cut off`);
  }
}

function services(models: readonly ServedModel[]): readonly ServedModel['service'][] {
  return models.map(({ service }) => service);
}

/** What a person wants to know on stderr; for scripts one line on stdout. */
function tell(
  server: ApiServer,
  { models, plan: { slots, bytes } }: ServedModels,
  { settings }: ServerPlan,
  page: boolean,
  json: boolean,
): void {
  const { url, port } = server;
  const c = colours(process.stderr);
  const [{ id, service }] = models;
  const key = settings.apiKeys.length > 0 ? " -H 'authorization: Bearer KEY'" : '';
  const body = service.template
    ? `/v1/chat/completions -H 'content-type: application/json'${key} -d '{"model":"${id}","messages":[{"role":"user","content":"Hello"}]}'`
    : `/v1/completions -H 'content-type: application/json'${key} -d '{"model":"${id}","prompt":"Hello"}'`;
  const lines = [
    ...models.map(
      (model) =>
        `${c.bold(model.id)}${model.fileType ? ` (${model.fileType})` : ''}: ${slots} ${slots === 1 ? 'slot' : 'slots'} of ${model.service.contextSize} positions`,
    ),
    `${formatSize(bytes)} of memory`,
    `API:   ${c.bold(`${url}/v1`)}`,
    ...(page ? [`chat:  ${c.bold(url)}`] : []),
    `try:   curl ${url}${body}`,
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
  if (json) {
    const told = models.map(({ id, fileType, service: { contextSize } }) => ({ id, fileType, contextSize }));
    process.stdout.write(`${jsonText({ url, port, pid: process.pid, models: told, slots })}\n`);
  }
}
