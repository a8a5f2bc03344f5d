/** Entry file of a thread of the engine in a browser. */
import { engineThread } from '../../../../../src/backends/index.ts';

const handle = engineThread((reply) => postMessage(reply));
addEventListener('message', ({ data }) => handle(data));
