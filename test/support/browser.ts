import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { temporaryDirectory } from './temporary.ts';

/** The reason for skipping a test that needs a browser. */
export const NO_BROWSER = 'there is no Chromium on the PATH: install chromium to run this test';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a browser with a new profile, which is closed at the end of the test. Returns `undefined` if
 * there is no browser.
 */
export async function startBrowser(
  lifetime: Lifetime = testLifetime,
): Promise<BrowserContext | undefined> {
  const executablePath = findOnPath(NAMES);
  if (executablePath === undefined) return undefined;
  const profile = await temporaryDirectory(lifetime);
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: ARGUMENTS,
  });
  lifetime.defer(() => browser.close());
  return browser;
}

function findOnPath(names: readonly string[]): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(path.delimiter);
  return names
    .flatMap((name) => directories.map((directory) => path.join(directory, name)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
