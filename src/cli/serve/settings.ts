/** What the options of `bitmill serve` become: settings of the server, checked before anything is opened. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { usageError } from '../../core/index.ts';
import { exists } from '../../platform/index.ts';
import {
  DEFAULT_SETTINGS,
  isLoopback,
  LISTENER_LIMITS,
  type ListenerLimits,
  readApiKeys,
  type ServerSettings,
} from '../../server/index.ts';
import { parseBytes, parseWhole } from '../option-values.ts';

export interface ServerFlags {
  readonly host: string;
  readonly port: string;
  readonly apiKeyFile?: string;
  readonly insecure?: boolean;
  readonly cors: readonly string[];
  readonly connect: readonly string[];
  readonly allowHost: readonly string[];
  readonly maxBody: string;
  readonly maxTokens?: string;
  readonly requestSeconds: string;
  readonly idleSeconds: string;
  readonly drainSeconds: string;
  readonly logPrompts?: boolean;
  /** A folder; default: the one that comes with bitmill; false: none. */
  readonly web?: string | false;
}

export interface ServerPlan {
  readonly host: string;
  readonly port: number;
  readonly settings: ServerSettings;
  readonly limits: ListenerLimits;
  /** As in `ShellOptions`. */
  readonly hosts: readonly string[] | undefined;
  readonly connect: readonly string[];
  readonly drainSeconds: number;
}

const DAY = 86_400;
const MOST_TOKENS = 2 ** 24;

/** Three levels up from src/cli/serve and dist/cli/serve alike. */
const WEB_FOLDER = fileURLToPath(new URL('../../../dist/web', import.meta.url));

/** @throws usage error: a value that is none, or an open door; input error: the file of keys. */
export async function serverPlan(flags: ServerFlags, warn: (message: string) => void): Promise<ServerPlan> {
  const { host } = flags;
  const apiKeys = flags.apiKeyFile === undefined ? [] : await readApiKeys(flags.apiKeyFile, warn);
  const isLocal = isLoopback(host);
  if (!isLocal && apiKeys.length === 0) {
    if (!flags.insecure) {
      throw usageError(
        `--host ${host}: anybody who reaches this machine could use the models`,
        '--api-key-file FILE asks for a key, --insecure opens the door all the same',
      );
    }
    warn(`anybody who reaches ${host} can use the models: there is no --api-key-file`);
  }
  if (apiKeys.length === 0 && flags.cors.includes('*')) {
    warn('pages of any site can use the models: --cors * without --api-key-file');
  }
  const idleSeconds = parseWhole('--idle-seconds', flags.idleSeconds, 1, DAY);
  const settings: ServerSettings = {
    ...DEFAULT_SETTINGS,
    apiKeys,
    corsOrigins: flags.cors.map((one) => (one === '*' ? one : originOf('--cors', one))),
    maxBodyBytes: parseBytes('--max-body', flags.maxBody),
    ...(flags.maxTokens === undefined
      ? {}
      : { maxTokens: parseWhole('--max-tokens', flags.maxTokens, 1, MOST_TOKENS) }),
    requestSeconds: parseWhole('--request-seconds', flags.requestSeconds, 1, DAY),
    idleSeconds,
    logPrompts: flags.logPrompts ?? false,
    webRoot: await webFolder(flags.web),
  };
  const allowed = flags.allowHost.map((name) => name.toLowerCase());
  return {
    host,
    port: parseWhole('--port', flags.port, 0, 65_535),
    settings,
    limits: { ...LISTENER_LIMITS, idleSeconds },
    // With a key, a page that found its way here still cannot ask; without, only names that are known may be asked for.
    hosts: isLocal || allowed.length > 0 ? allowed : undefined,
    connect: flags.connect.map((one) => originOf('--connect', one)),
    drainSeconds: parseWhole('--drain-seconds', flags.drainSeconds, 0, DAY),
  };
}

/** `https://chat.example`: scheme, host and perhaps port, as a browser sends it. */
function originOf(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol) && [url.origin, `${url.origin}/`].includes(text)) {
    return url.origin;
  }
  // Pages of apps have schemes of their own: `app://chat`, `vscode-webview://…`.
  if (/^(?!https?:)[a-z][a-z\d+.-]*:\/\/[\w.-]+$/i.test(text)) return text;
  throw usageError(
    `${option} ${text}: is no origin`,
    'for example https://chat.example or http://localhost:5173',
  );
}

async function webFolder(web: ServerFlags['web']): Promise<string | undefined> {
  if (typeof web === 'string') return web;
  return web !== false && (await exists(path.join(WEB_FOLDER, 'index.html'))) ? WEB_FOLDER : undefined;
}
