/** A queue that takes no more. */
import { BitmillError } from '../../core/index.ts';

/** Its class matters: the server answers 429, with the seconds after which to try again. */
export class BusyError extends BitmillError {
  readonly retryAfter: number;

  constructor(waiting: number, retryAfter: number) {
    super('resources', `${waiting} requests wait already; no more are taken`, {
      hint: `try again in ${retryAfter} s`,
    });
    this.name = 'BusyError';
    this.retryAfter = retryAfter;
  }
}
