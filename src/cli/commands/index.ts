/** The registry of commands: adding one = its file here and one line. */
import type { Command } from 'commander';
import { defineBench } from './bench.ts';
import { defineCard } from './card.ts';
import { defineChat } from './chat.ts';
import { defineCompare } from './compare.ts';
import { defineConvert } from './convert.ts';
import { defineDemo } from './demo.ts';
import { defineDequantize } from './dequantize.ts';
import { defineDoctor } from './doctor.ts';
import { defineExam } from './exam.ts';
import { defineFormats } from './formats.ts';
import { defineHash } from './hash.ts';
import { defineImatrix } from './imatrix.ts';
import { defineInspect } from './inspect.ts';
import { defineList } from './list.ts';
import { defineMake } from './make.ts';
import { definePerplexity } from './perplexity.ts';
import { definePull } from './pull.ts';
import { defineQuantize } from './quantize.ts';
import { defineRm } from './rm.ts';
import { defineRun } from './run.ts';
import { defineServe } from './serve.ts';
import { defineMerge, defineSplit } from './split.ts';
import { defineTemplate } from './template.ts';
import { defineTokenize } from './tokenize.ts';
import { defineUpload } from './upload.ts';

export type DefineCommand = (command: Command) => void;

/** In the order of --help. */
export const COMMANDS: readonly DefineCommand[] = [
  defineMake,
  defineCard,
  defineUpload,
  definePull,
  defineList,
  defineRm,
  defineConvert,
  defineImatrix,
  defineQuantize,
  defineDequantize,
  definePerplexity,
  defineExam,
  defineChat,
  defineRun,
  defineServe,
  defineInspect,
  defineCompare,
  defineHash,
  defineTokenize,
  defineTemplate,
  defineSplit,
  defineMerge,
  defineBench,
  defineDoctor,
  defineFormats,
  defineDemo,
];
