/** A gate that lets one through at a time, in the order of arrival. */
export class Gate {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work once all that came before is done, whether or not that failed. */
  pass<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
