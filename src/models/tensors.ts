/** What a model file says, read by name: hyper-parameters and tensors, with errors that say what is wrong where. */
import { inputError } from '../core/index.ts';
import { type GgufFile, type GgufTensor, getNumber, getString, needNumber } from '../gguf/index.ts';
import { decode } from '../quants/index.ts';

/** A matrix of the model and, where the file has one, its bias. */
export interface Linear {
  readonly weight: GgufTensor;
  readonly bias: GgufTensor | undefined;
}

const show = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** Vectors are stored as one row; trailing dimensions of 1 say nothing. */
function sameShape(found: readonly number[], wanted: readonly number[]): boolean {
  const size = Math.max(found.length, wanted.length);
  return Array.from({ length: size }, (_, i) => (found[i] ?? 1) === (wanted[i] ?? 1)).every(Boolean);
}

export class ModelReader {
  readonly file: GgufFile;
  readonly #prefix: string;

  /** @param architecture prefix of the hyper-parameters' keys. */
  constructor(file: GgufFile, architecture: string) {
    this.file = file;
    this.#prefix = architecture;
  }

  /** The key as it stands in the file, for messages: `phi3.rope.scaling.type`. */
  key(name: string): string {
    return `${this.#prefix}.${name}`;
  }

  /** A hyper-parameter. @throws input error: absent with no fallback, or no number. */
  number(name: string, fallback?: number): number {
    const { metadata, name: place } = this.file;
    if (fallback === undefined) return needNumber(metadata, this.key(name), place);
    return getNumber(metadata, this.key(name), place) ?? fallback;
  }

  /** A finite hyper-parameter above 0. @throws input error: absent with no fallback, or none of these. */
  positive(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (!(value > 0 && Number.isFinite(value))) this.refuse(name, `is ${value}; above 0 is allowed`);
    return value;
  }

  /** A hyper-parameter from `least` to `most`. @throws input error: absent with no fallback, or beyond. */
  between(name: string, [least, most]: readonly [number, number], fallback?: number): number {
    const value = this.number(name, fallback);
    if (!(value >= least && value <= most)) this.refuse(name, `is ${value}; ${least} to ${most} is allowed`);
    return value;
  }

  text(name: string): string | undefined {
    return getString(this.file.metadata, this.key(name), this.file.name);
  }

  /** @throws input error always: a hyper-parameter that cannot be. */
  refuse(name: string, problem: string): never {
    throw inputError(this.file.name, `${this.key(name)} ${problem}`);
  }

  /** @param shape as in the file: row length first. @throws input error: missing, or of another shape. */
  tensor(name: string, shape: readonly number[]): GgufTensor {
    const tensor = this.optional(name, shape);
    if (!tensor) throw inputError(this.file.name, `tensor ${name} is missing`);
    return tensor;
  }

  /** As `tensor`, undefined where the file has none. */
  optional(name: string, shape: readonly number[]): GgufTensor | undefined {
    const tensor = this.file.find(name);
    if (tensor && !sameShape(tensor.shape, shape)) {
      throw inputError(
        this.file.name,
        `${name} has the shape ${show(tensor.shape)}; ${show(shape)} is wanted`,
      );
    }
    if (tensor?.format.kind === 'integer') {
      throw inputError(this.file.name, `${name} holds integers (${tensor.format.name}); weights are wanted`);
    }
    return tensor;
  }

  /** One plain number a column, as norms and biases are stored. @throws input error: missing, misshapen, quantized. */
  vector(name: string, size: number): GgufTensor {
    const tensor = this.optionalVector(name, size);
    if (!tensor) throw inputError(this.file.name, `tensor ${name} is missing`);
    return tensor;
  }

  optionalVector(name: string, size: number): GgufTensor | undefined {
    const tensor = this.optional(name, [size]);
    if (tensor && tensor.format.kind !== 'float') {
      throw inputError(
        this.file.name,
        `${name} is ${tensor.format.name}; a vector of plain floats (F32, F16, BF16) is wanted`,
      );
    }
    return tensor;
  }

  /** `<name>.weight` and, if there, `<name>.bias`. */
  linear(name: string, cols: number, rows: number): Linear {
    return {
      weight: this.tensor(`${name}.weight`, [cols, rows]),
      bias: this.optionalVector(`${name}.bias`, rows),
    };
  }

  /** The values of a small tensor, if the file has it. */
  async values(name: string, size: number): Promise<Float32Array | undefined> {
    const tensor = this.optionalVector(name, size);
    return tensor && decode(tensor.format, await this.file.read(tensor), tensor.weights);
  }
}
