/** Set-up for `npm start` and `npm test`: installs the locked packages if they are missing, then builds. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`bitmill needs Node 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

const run = (command, args) => {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
};

/** npm writes this file at the end of an install; older than the lock file means the lock has changed since. */
const marker = 'node_modules/.package-lock.json';
const fresh = existsSync(marker) && statSync(marker).mtimeMs >= statSync('package-lock.json').mtimeMs;
if (!fresh && !(existsSync(marker) && sameVersions())) run('npm', ['ci', '--no-fund', '--no-audit']);
run(process.execPath, ['scripts/build.mjs']);

/** A checkout touches package-lock.json without changing it: compare the versions before installing again. */
function sameVersions() {
  const versions = (file) => {
    const { packages } = JSON.parse(readFileSync(file, 'utf8'));
    return packages;
  };
  const have = versions(marker);
  return Object.entries(versions('package-lock.json')).every(
    ([path, { version, optional }]) => path === '' || optional || have[path]?.version === version,
  );
}
