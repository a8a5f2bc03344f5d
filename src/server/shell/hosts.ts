/**
 * Who may be asked for, and by whose pages. A page of another site can give its own name the address 127.0.0.1 and so
 * reach a server that listens on loopback only (DNS rebinding): its requests carry that name in `Host`. A page can also
 * send simple requests anywhere: those carry its `Origin`.
 */
import { isIPv4 } from 'node:net';

/** Addresses and names of this machine itself. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    (isIPv4(name) && name.startsWith('127.'))
  );
}

/** `localhost:8080` -> `localhost`, `[::1]:8080` -> `[::1]`. Undefined: not of that form. */
export function hostName(header: string): string | undefined {
  return /^(\[[\da-f:.]+\]|[^:@/\s[\]]+)(?::\d{1,5})?$/i.exec(header)?.[1].toLowerCase();
}

/** @param allowed names beside those of this machine, as `--allow-host` has them; lower case. */
export function isAllowedHost(header: string | undefined, allowed: readonly string[]): boolean {
  const name = hostName(header ?? '');
  return name !== undefined && (isLoopback(name) || allowed.includes(name));
}

/** Whether a page may send this request: pages of this server, and of the origins that are allowed. */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
