import { expect, test } from 'vitest';
import { NO_BROWSER, startBrowser } from '../support/browser.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startSystem } from '../support/system.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';

/** Its page loads a font from elsewhere, which our policy blocks. */
const BLOCKED_FONT = /^Loading the stylesheet .* violates .* Content Security Policy/;

test('Bull Board shows the queue and its jobs', async (ctx) => {
  const browser = await startBrowser();
  if (browser === undefined) return ctx.skip(NO_BROWSER);
  const { path } = await writeRegistryFile(generateRows({ count: 20 }));
  const config = {
    registries: [
      { name: 'ticking', file: { path }, syncPolicy: { interval: '1h' } },
      { name: 'missing', file: { path: `${path}.missing` } },
    ],
  };
  const { client, apiUrl, token } = await startSystem({ config, workers: 1 });
  await untilComplete(client, 'ticking');
  await untilRegistry(client, 'missing', ({ status }) => status.phase === 'Failed');

  const page = await browser.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (line) => {
    if (line.type() === 'error' && !BLOCKED_FONT.test(line.text())) troubles.push(line.text());
  });
  page.on('response', (response) => {
    if (!response.url().startsWith(apiUrl)) troubles.push(`an answer of ${response.url()}`);
  });

  await page.goto(`${apiUrl}/queues`);
  await page.getByText('registry-sync').first().waitFor();
  expect(await page.title()).toMatch(/Syncline/);

  await page.goto(`${apiUrl}/queues/queue/registry-sync?status=failed`);
  await page
    .getByText(/the file .+ does not exist/)
    .first()
    .waitFor();
  await page.goto(`${apiUrl}/queues/queue/registry-sync?status=delayed`);
  await page
    .getByText(/repeat:ticking:\d+/)
    .first()
    .waitFor();
  await page.goto(`${apiUrl}/sign-in?next=/queues/queue/registry-sync`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/queues\/queue\/registry-sync/);
  await page.getByText('registry-sync').first().waitFor();
  // The page sends the cookie of the session, although scripts cannot read it.
  expect(await page.evaluate('document.cookie')).toBe('');
  const pause = '/queues/api/queues/registry-sync/pause';
  const status = await page.evaluate(
    async (path) => (await fetch(path, { method: 'PUT' })).status,
    pause,
  );
  expect(status).toBe(200);
  await page.goto(`${apiUrl}/sign-in`);
  await page.getByText('You are signed in as admin').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  expect(await page.getByText('You are signed in').count()).toBe(0);
  expect(troubles).toEqual([]);
});
