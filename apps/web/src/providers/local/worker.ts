/** Entry file of the worker that holds a model. */
import type { FromWorker, Port, ToWorker } from './protocol.ts';
import { serve } from './serving.ts';
import { spawnFrom } from './spawn.ts';

serve(globalThis as unknown as Port<ToWorker, FromWorker>, spawnFrom);
