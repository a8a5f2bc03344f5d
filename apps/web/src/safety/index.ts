/** Safety: a check of what goes out and what comes back. The only door of the folder. */
export type { SafetyCheck, Verdict } from './check.ts';
export { checkedProvider, safetyExtension } from './extension.ts';
