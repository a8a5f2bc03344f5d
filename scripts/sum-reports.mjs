/** Adds up vitest's JSON reports of a folder: one line "N passed, N failed, N skipped"; fails if one is missing. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const SUITES = ['unit', 'oracle', 'browser'];
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const suite of SUITES) {
  const file = path.join(process.argv[2], `${suite}.json`);
  if (!existsSync(file)) {
    console.error(`${suite} suite left no report: it did not run to its end`);
    sum.failed++;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests;
  sum.skipped += report.numPendingTests + report.numTodoTests;
  // A file that fails to load has no tests to count.
  const broken = report.testResults.filter(
    (r) => r.status === 'failed' && r.assertionResults.length === 0,
  ).length;
  sum.failed += broken;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
