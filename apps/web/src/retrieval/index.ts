/** Retrieval: attached files that answers cite. The only door of the folder. */
export { filesExtension } from './extension.ts';
