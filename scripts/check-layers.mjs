/**
 * Checks the house rules that a compiler does not see (ARCHITECTURE.md, "Layers"):
 * a folder of src/ imports only from rows below its own, through the other folder's door (index.ts);
 * only platform, cli, server, tests and *.node.ts files may name `node:` modules; unknown folders are errors.
 * The web chat (apps/) imports doors only, of folders that run in a browser.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { glob } from './glob.mjs';

/** Folder -> row. A folder may import only from lower rows. */
export const ROWS = {
  core: 1,
  kernels: 2,
  quants: 3,
  gguf: 4,
  hf: 4,
  graph: 4,
  text: 5,
  models: 5,
  backends: 5,
  generate: 6,
  imatrix: 7,
  convert: 8,
  quantize: 8,
  evaluate: 8,
  report: 9,
  platform: 9,
  server: 10,
  cli: 11,
};
const NODE_FOLDERS = new Set(['platform', 'cli', 'server']);

const IMPORT =
  /(?:^|[\s;])(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/gm;

/** Every import in one source text: what it names, where it leads inside the repository, and where it stands. */
function* importsOf(file, text) {
  for (const match of text.matchAll(IMPORT)) {
    const target = match[1] ?? match[2] ?? match[3];
    const line = text.slice(0, match.index + match[0].search(/\S/)).split('\n').length;
    const resolved = path.posix.normalize(path.posix.join(path.posix.dirname(file), target));
    yield { target, where: `${file}:${line}`, resolved: target.startsWith('.') ? resolved : undefined };
  }
}

/** Broken rules in a file of apps/, as sentences. */
export function appViolations(file, text) {
  if (/\.test\.tsx?$/.test(file)) return [];
  return [...importsOf(file, text)].flatMap(({ target, where, resolved }) => {
    if (target.startsWith('node:')) return [`${where}: a page may not import ${target}`];
    if (!resolved?.startsWith('src/')) return [];
    const [, folder, ...rest] = resolved.split('/');
    if (folder === 'index.ts') return [];
    if (NODE_FOLDERS.has(folder)) return [`${where}: ${folder} does not run in a browser`];
    return rest.join('/') === 'index.ts'
      ? []
      : [`${where}: go through src/${folder}/index.ts, not ${resolved}`];
  });
}

/** Every broken rule in one source text, as sentences. */
export function violations(file, text) {
  const folder = file.split('/')[1];
  const found = [];
  if (file.split('/').length === 2) return found; // src/index.ts, the main door
  if (!(folder in ROWS)) return [`${file}: folder "${folder}" has no row in scripts/check-layers.mjs`];
  const isTest = /\.(test|cases)\.ts$/.test(file);
  for (const { target, where, resolved } of importsOf(file, text)) {
    if (target.startsWith('node:')) {
      if (!NODE_FOLDERS.has(folder) && !file.endsWith('.node.ts') && !isTest) {
        found.push(`${where}: only platform, cli, server and *.node.ts may import ${target}`);
      }
      continue;
    }
    if (resolved === undefined) continue;
    const parts = resolved.split('/');
    if (parts[0] !== 'src' || parts[1] === folder) continue;
    if (isTest) continue;
    const row = ROWS[parts[1]];
    if (row === undefined) found.push(`${where}: imports unknown folder "${parts[1]}"`);
    else if (row >= ROWS[folder])
      found.push(`${where}: ${folder} (row ${ROWS[folder]}) may not import ${parts[1]} (row ${row})`);
    else if (!/^index\.ts$/.test(parts.slice(2).join('/')) && !file.endsWith('.as.ts')) {
      found.push(`${where}: go through src/${parts[1]}/index.ts, not ${resolved}`);
    }
  }
  return found;
}

if (process.argv[1] && import.meta.url.endsWith(path.basename(process.argv[1]))) {
  const files = glob('src', /\.ts$/).filter((file) => !file.endsWith('.gen.ts'));
  const pages = glob('apps', /\.tsx?$/);
  const all = [
    ...files.flatMap((file) => violations(file, readFileSync(file, 'utf8'))),
    ...pages.flatMap((file) => appViolations(file, readFileSync(file, 'utf8'))),
  ];
  for (const line of all) console.error(line);
  if (all.length > 0) process.exit(1);
  console.error(`layers: ${files.length + pages.length} files keep the rules`);
}
