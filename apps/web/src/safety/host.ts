/**
 * A host's own check: `<meta name="bitmill-safety" content="./my-check.js">` in the page names a module of the page's own
 * site, whose default export is a `SafetyCheck`. It cannot be switched off in the settings, and where it does not load
 * nothing passes.
 */
import type { SafetyCheck } from './check.ts';

const NAME = 'bitmill-safety';

/** Anything may have been exported. @throws Error: it is no check. */
function checkOf(exported: unknown, address: string): SafetyCheck {
  const { input, output, name } = (exported ?? {}) as Record<string, unknown>;
  const functions = [input, output].filter((one) => one !== undefined);
  if (functions.length === 0 || functions.some((one) => typeof one !== 'function')) {
    throw new Error(`${address} exports no check: its default export has neither input nor output`);
  }
  return { ...(exported as SafetyCheck), name: typeof name === 'string' ? name : address };
}

/** @returns undefined where the page names none. @throws Error: it cannot be loaded. */
export async function hostCheck(
  page: Pick<Document, 'querySelector' | 'baseURI'>,
  load: (address: string) => Promise<{ default?: unknown }> = (address) => import(/* @vite-ignore */ address),
): Promise<SafetyCheck | undefined> {
  const named = page.querySelector(`meta[name="${NAME}"]`)?.getAttribute('content')?.trim();
  if (!named) return undefined;
  const address = new URL(named, page.baseURI);
  if (address.origin !== new URL(page.baseURI).origin) {
    throw new Error(`${address.href} is not of this page's site: a check is loaded from there only`);
  }
  return checkOf((await load(address.href)).default, address.href);
}
