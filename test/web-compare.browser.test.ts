/** The comparison in Chromium, against a scripted server: what is marked, what the keys do, what is kept. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserMissing } from './browser.ts';
import { type Api, openPart, type PartPage, seriousFaults, streamAnswer } from './web-page.ts';

type Scripted = readonly {
  readonly token: string;
  readonly logprob: number;
  readonly top: [string, number][];
}[];

/** Tokens between bars; `~` after one: the model was not sure, and named the word behind it as the other choice. */
function answer(script: string): Scripted {
  return script.split('|').map((part) => {
    const [token, other] = part.split('~');
    const logprob = other === undefined ? -0.01 : -0.6;
    const rest: [string, number] = other === undefined ? [' the', -5] : [other, -1];
    return { token, logprob, top: [[token, logprob], rest, ['\n', -7], [' of', -8.5]] };
  });
}

const ANSWERS: Readonly<Record<string, Scripted>> = {
  'phi3-tiny-Q8_0': answer(
    'The| capital| of| France| is|~ was| Paris|.| It| lies| on| the| Se|ine| and| is| the| largest~ biggest| city| of| the| country|.|\n|It| is| also| its| seat| of| government|.',
  ),
  'phi3-tiny-Q2_K': answer(
    'The| capital| of| France| is|~ was| Paris|.| It| lies| on| the| Se|ine| and| has~ is| many| museums~ people|.|\n|It| is| also| its| seat~ center| of| culture~ government|.',
  ),
};

const MODELS = {
  object: 'list',
  data: [
    { id: 'phi3-tiny-Q8_0', file_type: 'Q8_0', size: 8568064 },
    { id: 'phi3-tiny-Q2_K', file_type: 'Q2_K', size: 3312000 },
  ],
};

/** B agrees with all of A's tokens but two. */
function echoed(model: string) {
  const other = Object.keys(ANSWERS).find((name) => name !== model) ?? '';
  const tokens = ANSWERS[other].map(({ token }) => token);
  const surprising = new Set([' is', ' largest', ' government']);
  const odd = tokens.map((token, i) => surprising.has(token) && i > 4);
  return {
    tokens: ['<|user|>', ...tokens],
    token_logprobs: [null, ...odd.map((one) => (one ? -2.2 : -0.05))],
    top_logprobs: [
      null,
      ...tokens.map((token, i) => (odd[i] ? { ' has': -0.3, [token]: -2.2 } : { [token]: -0.05, ' a': -4 })),
    ],
  };
}

const asked: Record<string, unknown>[] = [];

const api: Api = (path, body, response) => {
  const json = (value: object) => {
    response.end(JSON.stringify(value));
    return Promise.resolve();
  };
  if (path === '/v1/models') return json(MODELS);
  if (path === '/v1/chat/completions') asked.push(body);
  if (path === '/v1/chat/completions') return streamAnswer(response, ANSWERS[String(body['model'])], 2);
  if (path === '/apply-template') return json({ prompt: '<|user|>Where?' });
  const logprobs = echoed(String(body['model']));
  const answered = body['echo'] ? { choices: [{ text: '', logprobs }] } : { choices: [{ text: '' }] };
  return path === '/v1/completions' ? json({ ...answered, usage: { prompt_tokens: 1 } }) : undefined;
};

const missing = browserMissing();

describe.skipIf(missing)(`compare${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let part: PartPage;
  beforeAll(async () => {
    part = await openPart({ entry: 'testing/compare-page.tsx', api });
  });
  afterAll(() => part?.close());

  test('two models answer one prompt; the first difference is marked and told', async () => {
    const { page } = part;
    await page.getByLabel('One prompt, two models').fill('Where is the capital of France?');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Markdown' }).waitFor();
    expect(asked.map(({ model, temperature, seed }) => [model, temperature, seed])).toEqual([
      ['phi3-tiny-Q8_0', 0, 1],
      ['phi3-tiny-Q2_K', 0, 1],
    ]);
    expect(await page.getByRole('status').textContent()).toBe('They part at token 16');
    const first = page.getByRole('option', { name: 'first difference' });
    expect(await first.allTextContents()).toEqual([' is', ' has']);
  });

  test('runs that belong together stand side by side', async () => {
    const tops = await part.page
      .locator('.cmp-run')
      .evaluateAll((runs) => runs.map((run) => Math.round(run.getBoundingClientRect().top)));
    const half = tops.length / 2;
    expect(half).toBeGreaterThan(2);
    expect(tops.slice(0, half)).toEqual(tops.slice(half));
  });

  test('the arrow keys reach tokens, N the next difference; the inspector tells both views', async () => {
    const { page } = part;
    const list = page.getByRole('listbox', { name: 'Answer A, 32 tokens' });
    await list.locator('[tabindex="0"]').focus();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(await focused()).toBe('“is”, 99.0 %, first difference');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('“the”, 99.0 %, differs');
    await page.keyboard.press('n');
    expect(await focused()).toBe('“government”, 99.0 %, differs');
    const inspector = page.getByRole('region', { name: 'How likely each model found this' });
    expect(await inspector.getByRole('listitem').allTextContents()).toEqual(
      expect.arrayContaining(['␣government (said)99.0 %', '␣culture (said)55 %', '␣government37 %']),
    );
    await page.getByLabel('Shade what it was unsure of').check();
  });

  test('B reads A: every token of A that B would not have said has what it would have', async () => {
    const { page } = part;
    await page.getByRole('button', { name: 'B reads A' }).click();
    const verdict = page.getByText('B would have said');
    await verdict.first().waitFor();
    expect(await verdict.first().textContent()).toBe('B would have said 28 of the 32 tokens of A');
    const surprised = page.getByRole('option', { name: 'it would have said “␣has”' });
    expect(await surprised.allTextContents()).toEqual([' is', ' largest', ' is', ' government']);
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Side by side' }).click();
  });

  test('axe finds no serious fault, in light and dark', async () => {
    const { page } = part;
    expect(await seriousFaults(page)).toEqual([]);
    await page.evaluate(() => document.documentElement.setAttribute('data-theme', 'dark'));
    expect(await seriousFaults(page)).toEqual([]);
  });

  test('the comparison is exported, and kept as a chat', async () => {
    const { page } = part;
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'JSON' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^phi3-tiny-Q8_0-vs-phi3-tiny-Q2_K-\d{4}-\d\d-\d\d\.json$/);
    const kept = page.waitForEvent('console', (message) => message.text().startsWith('kept '));
    await page.getByRole('button', { name: 'Keep as a chat' }).click();
    expect((await kept).text()).toBe('kept Where is the capital of France?');
    expect(part.errors).toEqual([]);
  });
});
