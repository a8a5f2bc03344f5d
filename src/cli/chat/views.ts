/** How a chat is seen: in a terminal, as plain text, as JSON lines. Answers go to stdout, everything else to stderr. */
import { BitmillError, type Progress } from '../../core/index.ts';
import { colours, jsonText, terminalProgress, withoutControls } from '../terminal.ts';
import type { ChatView } from './chat.ts';
import { MarkdownColours, palette } from './markdown.ts';

function noteLine(line: string): void {
  process.stderr.write(`${colours(process.stderr).dim(withoutControls(line))}\n`);
}

/** Colours where stdout has them; a bar while a long prompt is read. */
export function terminalView(): ChatView {
  const c = colours(process.stdout);
  const markdown = c.isColorSupported ? new MarkdownColours(palette(c)) : undefined;
  let progress: Progress | undefined;
  let last = '';
  const write = (text: string): void => {
    progress?.stop();
    progress = undefined;
    process.stdout.write(text);
  };
  return {
    show: (text) => {
      const safe = withoutControls(text);
      if (safe === '') return;
      last = safe.at(-1) ?? last;
      write(markdown ? markdown.push(safe) : safe);
    },
    end: () => {
      const ended = last === '' || last === '\n';
      write(`${markdown ? markdown.flush() : ''}${ended ? '' : '\n'}`);
      last = '';
    },
    note: noteLine,
    reading: (done, total) => {
      if (!progress) {
        progress = terminalProgress();
        progress.start('reading', total, 'tokens');
      }
      progress.update(done);
    },
  };
}

/** The text of answers, a line break after each. */
export function plainView(): ChatView {
  return {
    show: (text) => void process.stdout.write(withoutControls(text)),
    end: () => void process.stdout.write('\n'),
    note: noteLine,
    reading: () => {},
  };
}

/** An object a line for each answer; its text is as the model wrote it. */
export function jsonView(model: string): ChatView {
  return {
    ...plainView(),
    show: () => {},
    end: ({ text, end, seconds: [first, rest] }) => {
      const line = {
        model,
        text,
        finish_reason: end.reason,
        prompt_tokens: end.promptTokens,
        reused_tokens: end.reusedTokens,
        completion_tokens: end.tokens,
        prompt_seconds: first,
        completion_seconds: rest,
      };
      process.stdout.write(`${jsonText(line)}\n`);
    },
  };
}

/** An error that does not end the chat. @throws what is a fault of ours. */
export function tellError(error: unknown): void {
  if (!(error instanceof BitmillError)) throw error;
  const c = colours(process.stderr);
  process.stderr.write(`${c.red('error:')} ${withoutControls(error.message)}\n`);
  if (error.hint) process.stderr.write(`${c.dim(`hint: ${withoutControls(error.hint)}`)}\n`);
}
