/** Evaluate: perplexity, divergence from a base, and how sure the figures are. The only door of the folder. */
export * from './base.ts';
export { type BasePlan, readBase, recordBase } from './bases.ts';
export { type Resamples, resample } from './bootstrap.ts';
export * from './exam.ts';
export { type AskedQuestion, askedQuestions, examContext } from './exam-chat.ts';
export * from './exam-questions.ts';
export { saidAnswer } from './exam-said.ts';
export { hashModel, hashVocabulary } from './hash.ts';
export * from './measure.ts';
export type * from './scores.ts';
export { type Estimate, shareWithError } from './statistics.ts';
export * from './summary.ts';
export * from './tensor-errors.ts';
export { checkSettings, type Window, type WindowSettings, windowsOf } from './windows.ts';
