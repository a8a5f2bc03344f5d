import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * `unit` needs Node alone; `oracle` compares with llama.cpp and skips, with the reason, where it is missing;
 * `browser` drives Debian's Chromium and skips likewise.
 */
export default defineConfig({
  test: {
    // Also on two cores two at a time: many tests wait for a program that they started.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'apps/**/*.test.ts'],
          exclude: ['**/*.oracle.test.ts', '**/*.browser.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'oracle',
          include: ['src/**/*.oracle.test.ts', 'test/**/*.oracle.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['src/**/*.browser.test.ts', 'test/**/*.browser.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
