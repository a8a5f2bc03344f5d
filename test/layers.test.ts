import { expect, test } from 'vitest';
import { appViolations, violations } from '../scripts/check-layers.mjs';

test('an import from a higher row, past a door, of node: or of an unknown folder is reported with its line', () => {
  expect(violations('src/core/a.ts', "import { x } from './b.ts';\n")).toEqual([]);
  expect(violations('src/quants/a.ts', "import { x } from '../core/index.ts';\n")).toEqual([]);
  expect(violations('src/core/a.ts', "\nimport { x } from '../quants/index.ts';\n")).toEqual([
    'src/core/a.ts:2: core (row 1) may not import quants (row 3)',
  ]);
  expect(violations('src/gguf/a.ts', "import type { x } from '../hf/index.ts';\n")).toEqual([
    'src/gguf/a.ts:1: gguf (row 4) may not import hf (row 4)',
  ]);
  expect(violations('src/quants/a.ts', "const x = await import('../core/half.ts');\n")).toEqual([
    'src/quants/a.ts:1: go through src/core/index.ts, not src/core/half.ts',
  ]);
  expect(violations('src/quants/a.ts', "import fs from 'node:fs';\n")).toEqual([
    'src/quants/a.ts:1: only platform, cli, server and *.node.ts may import node:fs',
  ]);
  expect(violations('src/toys/a.ts', '')).toEqual([
    'src/toys/a.ts: folder "toys" has no row in scripts/check-layers.mjs',
  ]);
});

test('the web chat goes through doors, and only of what runs in a browser', () => {
  const file = 'apps/web/src/a.ts';
  expect(appViolations(file, "import { x } from '../../../src/text/index.ts';\n")).toEqual([]);
  expect(appViolations(file, "import { x } from '../../../src/text/chat.ts';\n")).toEqual([
    'apps/web/src/a.ts:1: go through src/text/index.ts, not src/text/chat.ts',
  ]);
  expect(appViolations(file, "\nimport { x } from '../../../src/platform/index.ts';\n")).toEqual([
    'apps/web/src/a.ts:2: platform does not run in a browser',
  ]);
  expect(appViolations(file, "import fs from 'node:fs';\n")).toEqual([
    'apps/web/src/a.ts:1: a page may not import node:fs',
  ]);
});
