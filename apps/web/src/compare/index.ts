/** Compare: two models side by side. The only door of the folder. */
export { ComparePage } from './page.tsx';
export { CompareState, type Source } from './state.ts';
export { CompareView } from './view.tsx';
