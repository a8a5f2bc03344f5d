#!/usr/bin/env node
import('../dist/cli/main.js').then(
  ({ main }) => main(process.argv),
  (error) => {
    const unbuilt = error?.code === 'ERR_MODULE_NOT_FOUND';
    process.stderr.write(
      unbuilt ? 'bitmill is not built here: run `npm run build` first\n' : `${error?.stack}\n`,
    );
    process.exitCode = 1;
  },
);
