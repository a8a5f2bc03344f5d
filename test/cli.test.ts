import { expect, test } from 'vitest';
import { bitmill } from './cli.ts';

test('--help lists the commands on stdout and exits with 0; so does every command', () => {
  const { code, stdout } = bitmill(['--help']);
  expect(code).toBe(0);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+)(?: |$)/gm)]
    .map((match) => match[1])
    .filter((name) => name !== 'help');
  expect(commands).toContain('formats');
  for (const command of commands) {
    const help = bitmill([command, '--help']);
    expect({ command, code: help.code }).toEqual({ command, code: 0 });
    expect(help.stdout).toContain(`Usage: bitmill ${command}`);
  }
});

test('a wrong command or option exits with 2 and keeps stdout clean', () => {
  for (const args of [['mill'], ['formats', '--colour']]) {
    const { code, stdout, stderr } = bitmill(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: unknown (command 'mill'|option '--colour')/);
  }
});

test('formats --json describes every format', () => {
  const rows = JSON.parse(bitmill(['formats', '--json']).stdout) as {
    name: string;
    bits_per_weight: number;
  }[];
  expect(rows.find(({ name }) => name === 'Q4_K')?.bits_per_weight).toBe(4.5);
  expect(rows.find(({ name }) => name === 'IQ1_S')?.bits_per_weight).toBe(1.5625);
});
