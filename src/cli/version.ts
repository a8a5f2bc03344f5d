/** bitmill's version. */
export { VERSION } from '../platform/index.ts';
