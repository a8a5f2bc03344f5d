/**
 * The barrier between commands. State, i32 each: threads that have arrived, generation, sleepers, and whether the run
 * is abandoned. A thread spins for a while, because most commands take microseconds, and then sleeps.
 */

const ARRIVED: usize = 0;
const GENERATION: usize = 4;
const SLEEPERS: usize = 8;
const ABANDONED: usize = 12;

/**
 * Waits until all threads are here. @returns 1 if the run is abandoned, else 0.
 * @param spins looks at the generation before going to sleep.
 */
export function barrier_wait(state: usize, threads: i32, spins: i32): i32 {
  if (threads == 1) return 0;
  // In this order: whoever abandons the run sets the flag first and then moves the generation on.
  const generation = atomic.load<i32>(state + GENERATION);
  if (atomic.load<i32>(state + ABANDONED)) return 1;
  if (atomic.add<i32>(state + ARRIVED, 1) == threads - 1) {
    atomic.store<i32>(state + ARRIVED, 0);
    atomic.add<i32>(state + GENERATION, 1);
    if (atomic.load<i32>(state + SLEEPERS)) atomic.notify(state + GENERATION, -1);
    return atomic.load<i32>(state + ABANDONED);
  }
  for (let spin = 0; spin < spins; spin++) {
    if (atomic.load<i32>(state + GENERATION) != generation) return atomic.load<i32>(state + ABANDONED);
  }
  atomic.add<i32>(state + SLEEPERS, 1);
  while (atomic.load<i32>(state + GENERATION) == generation) {
    atomic.wait<i32>(state + GENERATION, generation, -1);
  }
  atomic.sub<i32>(state + SLEEPERS, 1);
  return atomic.load<i32>(state + ABANDONED);
}
