/** A plan of quantization carried out in a folder. */
import type { Executor, Progress } from '../core/index.ts';
import { type Plan, type RunResult, runQuantization, type Workspace } from '../quantize/index.ts';
import { checksum, folderWorkspace, sha256 } from './workspace.ts';

export interface QuantizeSettings {
  readonly executor: Executor;
  readonly progress: Progress;
  /** Bytes that work in flight may take. */
  readonly memory: number;
  /** What tells the input from another of the same header. */
  readonly identity: string;
  readonly signal?: AbortSignal;
  /** A workspace that knows more than the folder's own. */
  readonly adapt?: (workspace: Workspace) => Workspace;
}

/** Makes the planned files in a folder, which the caller has locked. */
export async function quantizeInto(
  folder: string,
  plan: Plan,
  settings: QuantizeSettings,
): Promise<RunResult> {
  const { executor, adapt = (workspace) => workspace } = settings;
  const workspace = adapt(await folderWorkspace(folder, executor));
  return runQuantization(plan, { ...settings, workspace, newHasher: sha256, checksum });
}
