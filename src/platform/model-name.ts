/** Models as users name them: one place that says what a name is, for commands and pipelines alike. */
import { inputError, type Progress, silentProgress, usageError } from '../core/index.ts';
import type { ModelNameOptions, ProgressInfo } from '../generate/index.ts';
import { type FileTypeName, fileTypeByName } from '../quantize/index.ts';
import { embeddedHint, embeddedModel } from './embedded.ts';
import { embeddedPath, type ModelForm } from './embedded-files.ts';
import { exists } from './files.ts';
import { isUrl } from './gguf.ts';
import { parseGgufName, resolveGguf } from './hub-gguf.ts';

/** transformers.js's names of types, and the nearest of ours. */
const DTYPES = new Map<string, FileTypeName | undefined>([
  ['auto', undefined],
  ['fp32', 'F32'],
  ['fp16', 'F16'],
  ['bf16', 'BF16'],
  ['q8', 'Q8_0'],
  ['int8', 'Q8_0'],
  ['uint8', 'Q8_0'],
  ['q4', 'Q4_K_M'],
  ['q4f16', 'Q4_K_M'],
  ['bnb4', 'Q4_K_M'],
]);

/** @throws usage error: no type. */
function typeOf(dtype: string): FileTypeName | undefined {
  if (DTYPES.has(dtype)) return DTYPES.get(dtype);
  const type = fileTypeByName(dtype);
  if (type !== undefined) return type;
  throw usageError(
    `dtype: ${dtype} is no type`,
    `known: file types such as Q4_K_M, and ${[...DTYPES.keys()].join(', ')}`,
  );
}

function progressOf(name: string, tell: (info: ProgressInfo) => void): Progress {
  let [file, total] = ['', 0];
  return {
    start: (label, amount) => {
      [file, total] = [label, amount];
      tell({ status: 'initiate', name, file });
    },
    update: (loaded, note = file) =>
      tell({
        status: 'progress',
        name,
        file: note,
        loaded,
        total,
        progress: (100 * loaded) / Math.max(1, total),
      }),
    stop: () => tell({ status: 'done', name, file }),
    warn: (message) => console.warn(message),
  };
}

export interface ModelPathOptions extends ModelNameOptions {
  /** Which type of an embedded model is wanted where its name has none; default `quant`. */
  readonly form?: ModelForm;
  readonly progress?: Progress;
  /** Hears that a file has to be made or received first. */
  readonly note?: (message: string) => void;
}

/** @throws usage error: options of repositories with something else. */
function checkPlain(name: string, { dtype, revision }: ModelNameOptions): string {
  for (const [option, value] of Object.entries({ dtype, revision })) {
    if (value !== undefined) throw usageError(`${option}: ${name} is one file; nothing is left to choose`);
  }
  return name;
}

/**
 * The path or address that is opened for a name: of an embedded model (`phi3-tiny[:type]`) its file in the cache, of a
 * repository (`owner/name[@revision][:type or file]`) its GGUF, received first where it is missing; of all else the name
 * itself. What is there as a file is that file.
 * @throws usage error: an unknown type; input error: nothing of that name; HubError: the hub.
 */
export async function modelPath(name: string, options: ModelPathOptions = {}): Promise<string> {
  const { dtype, form, note, progress_callback } = options;
  const told = progress_callback ? progressOf(name, progress_callback) : silentProgress;
  const progress = options.progress ?? told;
  const type = dtype === undefined ? undefined : typeOf(dtype);
  const embedded = embeddedModel(name);
  if (embedded) {
    const model = type === undefined ? embedded : { ...embedded, type };
    return embeddedPath(model, { progress, ...(form ? { form } : {}), ...(note ? { note } : {}) });
  }
  if (isUrl(name) || /\.gguf$/i.test(name.replace(/:.*$/, '')) || (await exists(name)))
    return checkPlain(name, options);
  if (parseGgufName(name)) return (await resolveGguf(name, repositoryOptions(options, type, progress))).path;
  const hint = embeddedHint(name);
  if (hint) throw inputError(name, 'no such file or folder', hint);
  return checkPlain(name, options);
}

function repositoryOptions(
  { revision, cache_dir, local_files_only }: ModelPathOptions,
  file: string | undefined,
  progress: Progress,
) {
  return {
    progress,
    file,
    ...(revision === undefined ? {} : { revision }),
    ...(cache_dir === undefined ? {} : { cacheFolder: cache_dir }),
    ...(local_files_only ? { offline: true } : {}),
  };
}
