/** The built web chat in Chromium: talking, branching, keeping, failing, and being used without a mouse. */
import { readFileSync } from 'node:fs';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { browserMissing } from './browser.ts';
import { answers, type ChatPage, held, launchChromium, openChat, questions, send } from './web-chat.ts';
import { seriousFaults } from './web-page.ts';

const missing = browserMissing();
if (missing) console.warn(`web chat suite skipped: ${missing}`);

let browser: Browser | undefined;
beforeAll(async () => {
  if (!missing) browser = await launchChromium();
});
afterAll(() => browser?.close());

let chat: ChatPage | undefined;
async function open(options?: Parameters<typeof openChat>[1]): Promise<ChatPage> {
  if (!browser) throw new Error('no browser');
  chat = await openChat(browser, options);
  return chat;
}
afterEach(async () => {
  const errors = chat?.errors ?? [];
  await chat?.close();
  chat = undefined;
  expect(errors).toEqual([]);
});

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });
const facts = (page: Page) => page.locator('.answer .facts').last().innerText();

/** Runs in the page: the texts of all turns that are kept. */
async function keptTexts(): Promise<string[]> {
  const result = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve) => {
      request.onsuccess = () => resolve(request.result);
    });
  const db = await result(indexedDB.open('bitmill'));
  const all: { turn: { content: string } }[] = await result(
    db.transaction('turns').objectStore('turns').getAll(),
  );
  db.close();
  return all.map(({ turn }) => turn.content);
}

async function downloaded(download: Promise<Download>): Promise<{ name: string; text: string }> {
  const file = await download;
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

describe.skipIf(missing)('talking', () => {
  test('a question goes out and its answer streams in', async () => {
    const { page, api } = await open();
    const { piece, release } = held();
    api.say({ pieces: ['The sky ', piece] });
    await send(page, 'Why is the sky blue?');
    await page.locator('.answer[aria-busy="true"]').getByText('The sky').waitFor();
    expect(await button(page, 'Stop the answer').isVisible()).toBe(true);
    release('scatters **blue** light.');
    expect(await answers(page)).toEqual(['The sky scatters blue light.']);
    expect(await page.locator('.answer strong').innerText()).toBe('blue');
    expect(await facts(page)).toMatch(/^phi3-tiny · 12 → 2 tokens · [\d.]+ tokens\/s$/);
    expect(api.asked[0]).toMatchObject({
      model: 'phi3-tiny',
      stream: true,
      messages: [{ role: 'user', content: 'Why is the sky blue?' }],
    });
    expect(await page.title()).toBe('Why is the sky blue? · bitmill');
    expect(await page.locator('[aria-live="polite"]').innerText()).toBe('The sky scatters blue light.');
  });

  test.each(['key', 'button'])(
    'an answer is stopped by %s; what had come stays, and the server is told',
    async (by) => {
      const { page, api } = await open();
      api.say({ pieces: ['Half of', new Promise<string>(() => undefined)] });
      await send(page, 'Go on');
      await page.getByText('Half of').waitFor();
      if (by === 'key') await page.keyboard.press('Escape');
      else await button(page, 'Stop the answer').click();
      expect(await answers(page)).toEqual(['Half of']);
      expect(await facts(page)).toContain('stopped');
      await expect.poll(() => api.left()).toBe(1);
      await send(page, 'Next');
      await expect.poll(() => answers(page)).toEqual(['Half of', 'ok']);
    },
  );

  test('another answer and another wording are branches, and ‹ › goes between them', async () => {
    const { page, api } = await open();
    api.say({ pieces: ['one'] }, { pieces: ['two'] }, { pieces: ['three'] });
    await send(page, 'Count');
    expect(await answers(page)).toEqual(['one']);
    await button(page, 'Answer again').click();
    await expect.poll(() => answers(page)).toEqual(['two']);
    expect(await page.locator('.answer .branch-number').innerText()).toContain('2/2');
    await button(page, 'Branch before').click();
    expect(await answers(page)).toEqual(['one']);

    await page.locator('.question').hover();
    await button(page, 'Edit question').click();
    await page.getByRole('textbox', { name: 'Edit question' }).fill('Count on');
    await page.keyboard.press('Enter');
    await expect.poll(() => answers(page)).toEqual(['three']);
    expect(await questions(page)).toEqual(['Count on']);
    await button(page, 'Branch before').click();
    expect([await questions(page), await answers(page)]).toEqual([['Count'], ['one']]);
    await page.reload();
    await expect.poll(() => answers(page)).toEqual(['one']);
    expect(await page.locator('.branch-number').allInnerTexts()).toHaveLength(2);
  });

  test('formatted text: tables keep their sides, task lists their boxes, pictures are links', async () => {
    const { page, api } = await open();
    const table = '| a | b |\n| - | -: |\n| 1 | 2 |';
    api.say({
      pieces: [`${table}\n\n- [x] done\n- [ ] open\n\n3. three\n\n![A mill](https://example.org/mill.png)`],
    });
    await send(page, 'Show');
    await answers(page);
    const answer = page.locator('.answer .markdown');
    expect(
      await answer.getByRole('cell', { name: '2' }).evaluate((cell) => getComputedStyle(cell).textAlign),
    ).toBe('right');
    expect(
      await answer
        .getByRole('checkbox')
        .evaluateAll((all) => all.map((box) => (box as HTMLInputElement).checked)),
    ).toEqual([true, false]);
    expect(await answer.locator('ol').getAttribute('start')).toBe('3');
    expect(await answer.getByRole('link', { name: 'A mill' }).getAttribute('href')).toBe(
      'https://example.org/mill.png',
    );
  });

  test('code is coloured, named and copied as it is', async () => {
    const { page, api } = await open();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    api.say({ pieces: ['```ts\nconst a = "<b>";\n```'] });
    await send(page, 'Code');
    await answers(page);
    expect(await page.locator('.code-head').innerText()).toContain('ts');
    expect(await page.locator('.hljs-keyword').innerText()).toBe('const');
    await button(page, 'Copy code').click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('const a = "<b>";');
  });

  test('Esc leaves a question that is edited as it was, and the focus goes back', async () => {
    const { page } = await open();
    await send(page, 'Hi');
    await answers(page);
    await page.getByRole('textbox', { name: 'Message' }).focus();
    await page.keyboard.press('ArrowUp');
    await page.getByRole('textbox', { name: 'Edit question' }).fill('Other');
    await page.keyboard.press('Escape');
    expect(await questions(page)).toEqual(['Hi']);
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('Edit question');
    expect(await page.evaluate(() => document.activeElement?.localName)).toBe('button');
  });

  test('parameters and the system prompt go along; wrong ones are told and stay here', async () => {
    const { page, api } = await open();
    await page.getByRole('combobox', { name: 'Model' }).selectOption('phi3-tiny-q4');
    await button(page, 'Parameters').click();
    await page.getByLabel('System prompt').fill('Be brief.');
    await page.getByLabel('Temperature').fill('0.5');
    await page.getByLabel('Seed').fill('42');
    await page.getByLabel('Stop at').fill('END\n\\n\\n');
    await page.getByLabel('Top p').fill('7');
    expect(await page.getByText('Top p lies between 0 and 1.').isVisible()).toBe(true);
    await send(page, 'Hi');
    await answers(page);
    expect(api.asked[0]).toMatchObject({
      model: 'phi3-tiny-q4',
      temperature: 0.5,
      seed: 42,
      stop: ['END', '\n\n'],
      messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }],
    });
    expect(api.asked[0]).not.toHaveProperty('top_p');
    await button(page, 'Back to defaults').click();
    await send(page, 'Again');
    await expect.poll(() => api.asked.length).toBe(2);
    expect(api.asked[1]).not.toHaveProperty('temperature');
  });
});

describe.skipIf(missing)('keeping', () => {
  test('a reload in the middle of an answer keeps what had come', async () => {
    const { page, api } = await open();
    api.say({ pieces: ['So far', new Promise<string>(() => undefined)] });
    await send(page, 'Tell me');
    await page.getByText('So far').waitFor();
    await expect.poll(() => page.evaluate(keptTexts)).toContain('So far');
    await page.reload();
    expect(await answers(page)).toEqual(['So far']);
    await page.getByText('The page was closed before the answer was whole.').waitFor();
    api.say({ pieces: ['All of it'] });
    await button(page, 'Answer again').click();
    await expect.poll(() => answers(page)).toEqual(['All of it']);
  });

  test('conversations are listed, found, renamed, opened, deleted, and come back', async () => {
    const { page } = await open();
    const list = page.locator('.conversation-title');
    await send(page, 'About windmills');
    await answers(page);
    await button(page, 'New chat').click();
    await send(page, 'About bread');
    await answers(page);
    await expect.poll(() => list.allInnerTexts()).toEqual(['About bread', 'About windmills']);

    await page.getByRole('searchbox', { name: 'Search conversations' }).fill('WIND');
    await expect.poll(() => list.allInnerTexts()).toEqual(['About windmills']);
    await page.getByRole('searchbox', { name: 'Search conversations' }).fill('');

    await button(page, 'More for “About windmills”').click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Title' }).fill('Mills');
    await page.keyboard.press('Enter');
    await expect.poll(() => list.allInnerTexts()).toEqual(['About bread', 'Mills']);

    await list.getByText('Mills').click();
    await expect.poll(() => questions(page)).toEqual(['About windmills']);
    await button(page, 'More for “Mills”').click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await expect.poll(() => list.allInnerTexts()).toEqual(['About bread']);
    expect(await questions(page)).toEqual([]);
    await button(page, 'Undo').click();
    await expect.poll(() => questions(page)).toEqual(['About windmills']);
    await page.reload();
    await expect.poll(() => list.allInnerTexts()).toEqual(['About bread', 'Mills']);
  });

  test('what goes out as JSON comes in again; Markdown is for reading', async () => {
    const { page, api } = await open();
    api.say({ pieces: ['Good day'] });
    await send(page, 'Greet');
    await answers(page);
    const more = button(page, 'More for “Greet”');
    await more.click();
    const markdown = downloaded(page.waitForEvent('download'));
    await page.getByRole('menuitem', { name: 'Export as Markdown' }).click();
    expect(await markdown).toEqual({
      name: 'greet.md',
      text: '# Greet\n\n## You\n\nGreet\n\n## Answer (phi3-tiny)\n\nGood day\n',
    });
    const json = downloaded(page.waitForEvent('download'));
    await button(page, 'Export all').click();
    const { text } = await json;
    await more.click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    const picker = page.waitForEvent('filechooser');
    await button(page, 'Import').click();
    await (await picker).setFiles({
      name: 'a.json',
      mimeType: 'application/json',
      buffer: Buffer.from(text),
    });
    await page.getByText('1 conversation imported.').waitFor();
    await page.locator('.conversation-title').click();
    expect(await answers(page)).toEqual(['Good day']);
  });

  test('a second tab sees what the first one keeps', async () => {
    const { page, api } = await open();
    const second = await page.context().newPage();
    await second.goto(api.url);
    await second.getByText('Conversations will stand here.').waitFor();
    await send(page, 'From the first');
    await expect
      .poll(() => second.locator('.conversation-title').allInnerTexts())
      .toEqual(['From the first']);
  });

  test('the back button goes to the conversation before', async () => {
    const { page } = await open();
    await send(page, 'First');
    await answers(page);
    await button(page, 'New chat').click();
    await send(page, 'Second');
    await answers(page);
    await page.goBack();
    expect(await questions(page)).toEqual([]);
    await page.goBack();
    await expect.poll(() => questions(page)).toEqual(['First']);
  });
});

describe.skipIf(missing)('failing', () => {
  const FAILURES = {
    'a wrong key': [401, undefined, 'The server asks for a key'],
    'a full context': [400, 'context_length_exceeded', 'The conversation is longer than the model can read'],
    'a fault of the server': [500, undefined, 'The answer failed'],
  } as const;

  test.each(Object.entries(FAILURES))(
    '%s is said, and a retry takes its place',
    async (_name, [status, code, title]) => {
      const { page, api } = await open();
      api.say({ error: { status, message: 'These are my reasons.', ...(code ? { code } : {}) } });
      await send(page, 'Hi');
      await page.getByText(title).waitFor();
      expect(await page.locator('.failure').innerText()).toContain('These are my reasons.');
      api.say({ pieces: ['Now it works'] });
      await button(page, 'Retry').click();
      await expect.poll(() => answers(page)).toEqual(['Now it works']);
      expect(await page.locator('.branch-number').count()).toBe(0);
    },
  );

  test('a busy server says when, and the retry waits for it', async () => {
    const { page, api } = await open();
    api.say({ error: { status: 429, message: 'All slots are taken.', headers: { 'retry-after': '1' } } });
    await send(page, 'Hi');
    await page.getByText('The server is busy', { exact: true }).waitFor();
    await button(page, /^Retry$/)
      .and(page.locator(':enabled'))
      .click();
    await expect.poll(() => answers(page)).toEqual(['ok']);
  });

  test('an answer that breaks off keeps its text, and a retry is a branch beside it', async () => {
    const { page, api } = await open();
    const { piece, release } = held();
    api.say({ pieces: ['Half', piece], cut: true }, { pieces: ['Whole'] });
    await send(page, 'Hi');
    await page.getByText('Half').waitFor();
    release('');
    await page.getByText('The connection is gone').waitFor();
    expect(await answers(page)).toEqual(['Half']);
    await button(page, 'Retry').click();
    await expect.poll(() => answers(page)).toEqual(['Whole']);
    expect(await page.locator('.branch-number').innerText()).toContain('2/2');
  });

  test('a server that is gone is said; with another address and a key it goes on', async () => {
    const { page, api } = await open();
    await button(page, 'Settings').click();
    await page.getByLabel('Base URL').fill('http://127.0.0.1:9/v1');
    await button(page, 'Connect').click();
    const state = page.getByRole('dialog').getByRole('status').first();
    await expect.poll(() => state.innerText()).toContain('No answer from http://127.0.0.1:9/v1');
    await page.getByLabel('Base URL').fill(`${api.url}v1`);
    await page.getByLabel('API key').fill('secret');
    await button(page, 'Connect').click();
    await expect.poll(() => state.innerText()).toBe('Connected: 2 models.');
    await page.keyboard.press('Escape');
    await send(page, 'Hi');
    await answers(page);
    expect(api.keys.at(-1)).toBe('Bearer secret');
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    expect(kept).toContain(api.url);
    expect(kept).not.toContain('secret');
  });
});

describe.skipIf(missing)('an answer that means harm', () => {
  const HOSTILE = [
    '<script>window.harm = 1</script>',
    '<img src=x onerror="window.harm = 2">',
    '[click](javascript:window.harm=3) [tab](java&#x09;script:window.harm=4) [data](data:text/html,<b>x</b>)',
    '<svg onload="window.harm = 5"><animate onbegin="window.harm = 6" attributeName="x"/></svg>',
    '<iframe srcdoc="<script>parent.harm = 7</script>"></iframe>',
    '<style>body { display: none }</style>',
    '<a href="javascript:window.harm=8" onclick="window.harm = 9">raw</a>',
    '<b onmouseover="window.harm = 10">bold</b>',
    '<math><mtext></mtext><mglyph><style><img src=x onerror="window.harm = 11">',
    '![pixel](https://tracker.example/pixel.png)',
    '[good](https://example.org/page) and [here](/v1/models)',
    '```html\n<script>window.harm = 12</script><img src=x onerror="window.harm = 13">\n```',
    '```"><img src=x onerror="window.harm = 14">\ncode\n```',
    '<form action="https://example.org"><input name="password"><button>Send</button></form>',
    '<div class="shell list-open" style="position:fixed;inset:0">cover</div>',
  ];

  test('stays text', async () => {
    const { page, api } = await open();
    const outside: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(api.url)) outside.push(request.url());
    });
    const text = HOSTILE.join('\n\n');
    // In small pieces, so that every unfinished form of it is drawn as well.
    api.say({ pieces: text.match(/[\s\S]{1,7}/g) ?? [] });
    await send(page, '<img src=x onerror="window.harm = 20"><script>window.harm = 21</script>');
    const [shown] = await answers(page);
    expect(shown).toContain('<script>window.harm = 1</script>');
    expect(shown).toContain('<iframe srcdoc=');

    const answer = page.locator('.answer .markdown');
    const inside = await answer.evaluate((node) => ({
      tags: [...new Set([...node.querySelectorAll('*')].map(({ localName }) => localName))].sort(),
      attributes: [
        ...new Set([...node.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())),
      ].sort(),
      links: [...node.querySelectorAll('a')].map((link) => link.getAttribute('href')),
      rels: [...node.querySelectorAll('a[href]')].map((link) => link.getAttribute('rel')),
    }));
    expect(inside).toEqual({
      tags: ['a', 'button', 'code', 'div', 'p', 'pre', 'span'],
      attributes: ['aria-label', 'class', 'href', 'rel', 'tabindex', 'target', 'type'],
      links: [null, null, null, 'https://tracker.example/pixel.png', 'https://example.org/page', null],
      rels: Array.from({ length: 2 }, () => 'noopener noreferrer nofollow'),
    });
    for (const link of await answer.locator('a:not([href])').all()) await link.click();
    expect(await page.evaluate(() => (globalThis as { harm?: number }).harm)).toBeUndefined();
    expect(await page.locator('body').isVisible()).toBe(true);
    expect(outside).toEqual([]);
  });

  test('cannot become code even past the sanitizer: the policy blocks it', async () => {
    const { page, errors } = await open();
    const blocked = await page.evaluate(async () => {
      const types = (globalThis as unknown as { trustedTypes: { createPolicy(...of: unknown[]): void } })
        .trustedTypes;
      const tries = {
        html: () => document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.harm = 1">'),
        eval: () => new Function('window.harm = 2'),
        policy: () => types.createPolicy('other', {}),
      };
      // The debugger's own calls may make code of strings: the tries run outside of them.
      await new Promise((resolve) => setTimeout(resolve));
      return Object.entries(tries).map(([name, attempt]) => {
        try {
          attempt();
          return `${name} works`;
        } catch {
          return name;
        }
      });
    });
    expect(blocked).toEqual(['html', 'eval', 'policy']);
    expect(errors.length).toBeGreaterThan(0);
    errors.length = 0;
  });
});

describe.skipIf(missing)('looking and hearing', () => {
  const VIEWS = {
    'the empty chat': async () => undefined,
    'a conversation': async ({ page, api }: ChatPage) => {
      api.say({
        pieces: [
          '# Head\n\n- [x] done\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n```ts\nconst a = "b"; // c\n```\n\n[link](https://example.org) `code`',
        ],
      });
      await send(page, 'Hi');
      await answers(page);
    },
    'a failure': async ({ page, api }: ChatPage) => {
      api.say({ error: { status: 401, message: 'No.' } });
      await send(page, 'Hi');
      await page.locator('.failure').waitFor();
    },
    'the parameters': ({ page }: ChatPage) => button(page, 'Parameters').click(),
    'the settings': ({ page }: ChatPage) => button(page, 'Settings').click(),
    'the shortcuts': ({ page }: ChatPage) => page.locator('main').press('?'),
    'an open menu': async ({ page }: ChatPage) => {
      await send(page, 'Hi');
      await answers(page);
      await button(page, 'More for “Hi”').click();
    },
    'the comparison': ({ page }: ChatPage) => button(page, 'Compare').click(),
  } as const;

  describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
    test.each(Object.entries(VIEWS))('%s has no serious fault for axe', async (_name, show) => {
      const opened = await open({ colorScheme, reducedMotion: 'reduce' });
      await show(opened);
      expect(await seriousFaults(opened.page)).toEqual([]);
    });
  });

  test('colours follow the system until they are chosen, and the choice stays', async () => {
    const { page } = await open({ colorScheme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const theme = () => page.evaluate(() => document.documentElement.dataset['theme']);
    expect(await theme()).toBe('dark');
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(theme).toBe('light');
    expect(await ground()).not.toBe(dark);
    await button(page, 'Colours: as the system').click();
    await button(page, 'Colours: light').click();
    expect(await theme()).toBe('dark');
    await page.reload();
    await expect.poll(theme).toBe('dark');
  });

  test('all works by keys: skip link, shortcuts, search, new chat, panels', async () => {
    const { page } = await open();
    await send(page, 'Hi');
    await answers(page);
    await page.reload();
    await answers(page);
    const focused = () =>
      page.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute('aria-label'));
    const first = page.locator('a[href], button, input, select, textarea').first();
    await first.focus();
    expect(await first.innerText()).toBe('Skip to the conversation');
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('main');
    await page.keyboard.press('/');
    expect(await focused()).toBe('Message');
    await page.keyboard.press('Alt+K');
    await expect.poll(focused).toBe('search');
    await page.keyboard.press('Alt+P');
    expect(await page.getByRole('complementary', { name: 'Parameters' }).isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.getByRole('complementary', { name: 'Parameters' }).count()).toBe(0);
    await page.keyboard.press('Alt+N');
    expect(await questions(page)).toEqual([]);
    await expect.poll(focused).toBe('Message');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two?');
    expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('one\ntwo?');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  test('on a phone the list lies over the page and goes away with a choice', async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await send(page, 'Hi');
    await answers(page);
    const list = page.getByRole('navigation', { name: 'Conversations' });
    expect(await list.isVisible()).toBe(false);
    await button(page, 'Conversations').click();
    await button(page, 'New chat').click();
    await expect.poll(() => list.isVisible()).toBe(false);
    expect(await questions(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await seriousFaults(page)).toEqual([]);
  });

  test('a long answer stays in sight at its end, until the reader goes up', async () => {
    const { page, api } = await open();
    const { piece, release } = held();
    const lines = Array.from({ length: 60 }, (_, index) => `Paragraph ${index}.\n\n`).join('');
    const { piece: last, release: end } = held();
    api.say({ pieces: [lines, piece, last] });
    await send(page, 'Long');
    const inSight = (text: string) =>
      page.getByText(text, { exact: true }).evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        const area = node.closest('.scroller')?.getBoundingClientRect();
        return area !== undefined && top >= area.top && bottom <= area.bottom;
      });
    await expect.poll(() => inSight('Paragraph 59.')).toBe(true);
    release('Now.\n\n');
    await expect.poll(() => inSight('Now.')).toBe(true);
    await page.locator('.scroller').hover();
    await page.mouse.wheel(0, -2000);
    await button(page, 'To the newest message').waitFor();
    end(lines.replaceAll('Paragraph', 'Line'));
    await answers(page);
    expect(await inSight('Line 59.')).toBe(false);
    await button(page, 'To the newest message').click();
    expect(await inSight('Line 59.')).toBe(true);
  });
});
