/** Entry file of a thread of the engine. */
import { parentPort } from 'node:worker_threads';
import { engineThread } from '../backends/index.ts';

parentPort?.on(
  'message',
  engineThread((reply) => parentPort?.postMessage(reply)),
);
