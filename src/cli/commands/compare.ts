/** `bitmill compare`: what differs between two GGUF files, and by how much. */
import type { Command } from 'commander';
import { EXIT_CODES } from '../../core/index.ts';
import {
  type Comparison,
  compareGguf,
  type GgufFile,
  type GgufTensor,
  type GgufValue,
  quoted,
  type TensorDifference,
} from '../../gguf/index.ts';
import { withGguf } from '../gguf.ts';
import { printJson, table, terminalProgress } from '../terminal.ts';
import { scalarJson, valueJson, valueText } from '../values.ts';

function describe(tensor: GgufTensor | undefined): string {
  return tensor ? `${tensor.format.name} [${tensor.shape.join(', ')}]` : 'absent';
}

function tensorRow({ name, a, b, weights }: TensorDifference): string[] {
  const numbers = weights
    ? [weights.maxAbs, weights.rms, weights.relativeRms].map((value) => value.toExponential(3))
    : ['', '', ''];
  return [quoted(name).slice(1, -1), describe(a), describe(b), ...numbers];
}

function isEqual({ metadata, tensors }: Comparison): boolean {
  return metadata.length === 0 && tensors.length === 0;
}

function comparisonText(comparison: Comparison): string {
  if (isEqual(comparison)) return `equal: metadata and all ${comparison.equalTensors} tensors\n`;
  const show = (value: GgufValue | undefined) => (value ? `${value.type} ${valueText(value)}` : 'absent');
  const lines = comparison.metadata.map(
    ({ key, a, b }) => `${quoted(key).slice(1, -1)}:\n  a: ${show(a)}\n  b: ${show(b)}`,
  );
  if (comparison.tensors.length > 0) {
    const head = ['tensor', 'a', 'b', 'max abs', 'rms', 'rms/rms(a)'];
    lines.push(table([head, ...comparison.tensors.map(tensorRow)], [3, 4, 5]));
  }
  const { metadata, tensors, equalTensors } = comparison;
  lines.push(
    `${metadata.length} metadata keys and ${tensors.length} tensors differ, ${equalTensors} tensors are equal`,
  );
  return `${lines.join('\n')}\n`;
}

function tensorJson(tensor: GgufTensor | undefined): unknown {
  return tensor ? { format: tensor.format.name, shape: tensor.shape } : null;
}

function comparisonJson(comparison: Comparison): unknown {
  return {
    equal: isEqual(comparison),
    metadata: comparison.metadata.map(({ key, a, b }) => ({
      key,
      a: a ? valueJson(a) : null,
      b: b ? valueJson(b) : null,
    })),
    tensors: comparison.tensors.map(({ name, a, b, weights }) => ({
      name,
      a: tensorJson(a),
      b: tensorJson(b),
      ...(weights
        ? {
            max_abs: scalarJson(weights.maxAbs),
            rms: scalarJson(weights.rms),
            relative_rms: scalarJson(weights.relativeRms),
            not_numbers: weights.notNumbers,
          }
        : {}),
    })),
    equal_tensors: comparison.equalTensors,
  };
}

async function compareFiles(a: GgufFile, b: GgufFile): Promise<Comparison> {
  const progress = terminalProgress();
  const names = new Set([...a.tensors, ...b.tensors].map((tensor) => tensor.name));
  progress.start('comparing', names.size, 'tensors');
  let done = 0;
  try {
    return await compareGguf(a, b, (name) => {
      done++;
      progress.update(done, quoted(name));
    });
  } finally {
    progress.stop();
  }
}

export function defineCompare(command: Command): void {
  command
    .name('compare')
    .description('compare two GGUF files: metadata, tensors, weights; exits with 6 if they differ')
    .argument('<a>', 'GGUF file or address')
    .argument('<b>', 'GGUF file or address')
    .option('--json', 'print JSON')
    .action(async (nameA: string, nameB: string, { json }: { json?: boolean }) => {
      const comparison = await withGguf(nameA, (a) => withGguf(nameB, (b) => compareFiles(a, b)));
      if (json) printJson(comparisonJson(comparison));
      else process.stdout.write(comparisonText(comparison));
      if (!isEqual(comparison)) process.exitCode = EXIT_CODES.check;
    });
}
