/**
 * Writes the tables of the codebook formats' expand kernels as AssemblyScript constants, from the same packed points
 * that decode reads. The engine's memory is shared by threads, so that its tables must be constants; as bytes in the
 * order of the weights a point is one load.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const OUT = 'src/quants/expand/grids.gen.as.ts';

/** A TypeScript file as a module that can be imported as it is, with `imports` (path to address) in place. */
function moduleAddress(file, imports = {}) {
  let { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  for (const [path, address] of Object.entries(imports)) outputText = outputText.replace(path, address);
  return `data:text/javascript;base64,${Buffer.from(outputText).toString('base64')}`;
}

/** Bytes as a constant of little-endian numbers, 4 or 8 bytes each. */
function constant(name, doc, size, bytes) {
  const hex = Array.from(bytes, (byte) => (byte & 255).toString(16).padStart(2, '0'));
  const numbers = [];
  for (let i = 0; i < hex.length; i += size)
    numbers.push(
      `0x${hex
        .slice(i, i + size)
        .reverse()
        .join('')}`,
    );
  const lines = [];
  for (let i = 0; i < numbers.length; i += 6) lines.push(`  ${numbers.slice(i, i + 6).join(', ')},`);
  return `/** ${doc} */\nexport const ${name}: usize = memory.data<u${8 * size}>([\n${lines.join('\n')}\n], 64);\n`;
}

/** Writes the file if it would change. */
export async function writeGrids() {
  const data = moduleAddress('src/quants/codebooks.data.ts');
  const books = await import(moduleAddress('src/quants/codebooks.ts', { './codebooks.data.ts': data }));
  const factors = (mask) => Array.from({ length: 8 }, (_, k) => ((mask >> k) & 1 ? -1 : 1));
  const masks = Array.from({ length: 256 }, (_, mask) => mask);
  const even = masks.slice(0, 128).flatMap((stored) => factors(books.signMask(stored)));
  const point = 'Values of a point, a byte each.';
  const text = [
    '/** Made by scripts/grids.mjs from codebooks.ts; not kept in the repository. */',
    constant('IQ2_XXS_GRID', point, 8, books.iq2xxsGrid().values),
    constant('IQ2_XS_GRID', point, 8, books.iq2xsGrid().values),
    constant('IQ2_S_GRID', point, 8, books.iq2sGrid().values),
    constant('IQ3_XXS_GRID', point, 4, books.iq3xxsGrid().values),
    constant('IQ3_S_GRID', point, 4, books.iq3sGrid().values),
    constant(
      'IQ1_GRID',
      'Values of a point times 8, a byte each.',
      8,
      books.iq1Grid().values.map((v) => 8 * v),
    ),
    '/** The shift of 8 points, i16 lanes: of a clear bit at 0, of a set one at 16. */',
    'export const IQ1_SHIFTS: usize = memory.data<i16>([1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1], 64);\n',
    constant('EVEN_SIGNS', 'Factors +-1 of 8 weights by the 7 stored bits, a byte each.', 8, even),
    constant(
      'FREE_SIGNS',
      'Factors +-1 of 8 weights by their 8 bits, a byte each.',
      8,
      masks.flatMap(factors),
    ),
  ].join('\n');
  if (!existsSync(OUT) || readFileSync(OUT, 'utf8') !== text) writeFileSync(OUT, text);
}
