/** `bitmill serve` as a child of a benchmark, and clients for it: polite ones by node:http, rude ones by node:net. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { ROOT } from './child.mjs';

const MIB = 2 ** 20;

/** @param args of `bitmill serve` beside port and log. */
export async function startServer(args) {
  const child = spawn(
    process.execPath,
    [path.join(ROOT, 'bin', 'bitmill.mjs'), 'serve', '--port', '0', '--json', '--log', 'error', ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exit = once(child, 'exit').then(([code]) => code);
  const first = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), exit]);
  if (typeof first === 'number') throw new Error(`bitmill serve: exit code ${first}`);
  const { port, models, slots } = JSON.parse(first[0]);
  return {
    port,
    slots,
    model: models[0].id,
    /** Resident memory, MiB. */
    rss: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    /** Seconds of all cores so far; Linux counts them in hundredths. */
    cpu: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    /** Numbers of /metrics by name, labels left out; the sum where there are several. */
    metrics: async () => {
      const { body } = await request(port, { path: '/metrics' });
      const sums = {};
      for (const [, name, value] of body.matchAll(/^([a-z_]+)(?:\{[^}]*\})? (\S+)$/gm)) {
        sums[name] = (sums[name] ?? 0) + Number(value);
      }
      return { ...sums, heap: sums.bitmill_heap_bytes / MIB };
    },
    /** @returns the exit code. */
    stop: () => {
      child.kill('SIGTERM');
      return exit;
    },
  };
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

/** One request by Node's client. @returns status and whole body; a reset connection is status 0. */
export function request(port, { method = 'GET', path: target = '/', headers = {}, body, onData }) {
  return new Promise((resolve) => {
    const asked = http.request(
      { port, host: '127.0.0.1', method, path: target, headers, agent },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => {
          text += piece;
          onData?.(piece, response);
        });
        response.on('error', () => resolve({ status: 0, body: text }));
        response.on('close', () => resolve({ status: 0, body: text }));
        response.on('end', () => resolve({ status: response.statusCode, body: text }));
      },
    );
    asked.on('error', () => resolve({ status: 0, body: '' }));
    asked.end(body);
  });
}

export function chatBody(model, content, more = {}) {
  return JSON.stringify({ model, messages: [{ role: 'user', content }], temperature: 0, ...more });
}

/** A chat at once or as a stream. @returns status, text, tokens as the server counts them. */
export async function chat(port, model, content, { onText, ...more } = {}) {
  const { status, body } = await request(port, {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json' },
    body: chatBody(model, content, {
      ...more,
      ...(more.stream ? { stream_options: { include_usage: true } } : {}),
    }),
    onData: onText && ((piece, response) => onText(piece.split('"content":"').length - 1, response)),
  });
  if (status !== 200) return { status, text: '', tokens: 0, whole: false };
  if (!more.stream) {
    const { choices, usage } = JSON.parse(body);
    return { status, text: choices[0].message.content, tokens: usage.completion_tokens, whole: true };
  }
  const frames = body.split('\n\n').filter((frame) => frame.startsWith('data: {'));
  const chunks = frames.map((frame) => JSON.parse(frame.slice('data: '.length)));
  return {
    status,
    text: chunks.map(({ choices }) => choices?.[0]?.delta.content ?? '').join(''),
    tokens: chunks.find(({ usage }) => usage)?.usage.completion_tokens ?? 0,
    whole: body.trimEnd().endsWith('data: [DONE]'),
  };
}

/** A connection of bytes. @returns the socket, and all text until it is closed. */
export async function raw(port, first) {
  const socket = net.connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  socket.on('error', () => {});
  const end = new Promise((resolve) => socket.once('close', () => resolve(text)));
  await Promise.race([once(socket, 'connect').catch(() => {}), end]);
  if (first) socket.write(first);
  return { socket, end };
}

export function head(line, headers = {}) {
  const fields = Object.entries({ host: '127.0.0.1', ...headers });
  return `${line} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
