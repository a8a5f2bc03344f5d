/** `bitmill formats`: the tensor formats that bitmill knows. */
import type { Command } from 'commander';
import { canEncode, FORMATS, type TensorFormat } from '../../quants/index.ts';
import { printJson, table } from '../terminal.ts';

export function defineFormats(command: Command): void {
  command
    .name('formats')
    .description('list the tensor formats: size, layout, what is needed to encode them')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const formats: TensorFormat[] = Object.values(FORMATS);
      const rows = formats.map((format) => ({
        name: format.name,
        id: format.id,
        block: format.blockSize,
        bytes: format.blockBytes,
        bits_per_weight: (8 * format.blockBytes) / format.blockSize,
        encodes: canEncode(format),
        needs_imatrix: format.requiresImportance === true,
        layout: format.layout,
      }));
      if (json) {
        printJson(rows);
        return;
      }
      const head = ['format', 'id', 'bits/weight', 'block', 'bytes', 'encodes', 'layout'];
      const body = rows.map((row) => [
        row.name,
        String(row.id),
        row.bits_per_weight.toFixed(4),
        String(row.block),
        String(row.bytes),
        row.encodes ? (row.needs_imatrix ? 'with imatrix' : 'yes') : 'no',
        row.layout,
      ]);
      process.stdout.write(`${table([head, ...body], [1, 2, 3, 4])}\n`);
    });
}
