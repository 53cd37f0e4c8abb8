import { glob, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { errorCodeSchema, statusSchema } from '@syncline/contract';
import { createMetrics, envVariables } from '@syncline/runtime';
import { parseConfig } from '@syncline/runtime/config';
import { describe, expect, test } from 'vitest';
import { nodeBinary, projectRoot } from '../support/project.ts';
import { runCommand } from '../support/run-command.ts';
import { PROGRAMS } from '../support/system.ts';

const pages = new Map<string, string>();
for await (const name of glob(['*.md', 'docs/**/*.md'], { cwd: projectRoot })) {
  pages.set(name, await read(name));
}

/** The help of the command line. */
const help = syncline('--help');

function syncline(...args: string[]): Promise<string> {
  return runCommand(nodeBinary(), [PROGRAMS.cli, ...args], { directory: projectRoot });
}

function read(name: string): Promise<string> {
  return readFile(path.join(projectRoot, name), 'utf8');
}

function page(name: string): string {
  const found = pages.get(name);
  if (found === undefined) throw new Error(`there is no page ${name}`);
  return found;
}

/** Returns the text between a heading and the next one of any level. */
function section(name: string, heading: string): string {
  const [, found] = page(name).split(`\n${heading}\n`, 2);
  if (found === undefined) throw new Error(`${name} has no section ${heading}`);
  return found.split(/\n#{1,6} /)[0] ?? '';
}

/** Returns the code spans in the first column of each table. */
function firstColumn(text: string): string[] {
  return [...text.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => codes(cell));
}

function codes(text: string): string[] {
  return matches(text, /`([^`]+)`/g);
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found);
}

/** Returns the anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, '');
}

describe.each([...pages.keys()])('the page %s', (name) => {
  test('has only links with an existing target', async () => {
    const text = withoutFences(page(name)).replaceAll(/`[^`]*`/g, 'code');
    for (const link of matches(text, /\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? name : path.join(path.dirname(name), file);
      const found = await stat(path.join(projectRoot, target)).catch(() => undefined);
      expect.soft(found, `${link} leads to nothing`).toBeDefined();
      if (found === undefined || anchor === undefined) continue;
      const headings = matches(withoutFences(await read(target)), /^#{1,6} (.+)$/gm);
      const anchors = headings.map(anchorOf);
      expect.soft(anchors, `${link} leads to no heading`).toContain(anchor);
    }
  });

  test('names commands and variables that exist', async () => {
    const { scripts } = JSON.parse(await read('package.json'));
    const known = [...Object.keys(scripts), 'test', 'start'];
    for (const script of matches(page(name), /\bnpm (?:run )?(start|test|(?<=run )[\w:]+)/g)) {
      expect.soft(known).toContain(script);
    }
    const commands = await help;
    for (const command of matches(page(name), /(?:npx --no|`|\$) syncline ([a-z]+)/g)) {
      expect.soft(commands).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
    const variables = new Set(envVariables().map((variable) => variable.name));
    for (const variable of matches(page(name), /\b(SYNCLINE_[A-Z_]+)\b/g)) {
      if (OTHER_VARIABLES.has(variable)) continue;
      expect.soft(variables).toContain(variable);
    }
  });

  test('shows valid configs', () => {
    for (const config of matches(page(name), /^```yaml\n(registries:.*?)^```/gms)) {
      expect(() => parseConfig('syncline.yaml', config)).not.toThrow();
    }
  });

  test('shows examples unchanged', async () => {
    const shown = page(name).matchAll(/^<!-- example: (\S+) -->\n```\w+\n(.*?)^```/gms);
    for (const [, file = '', text] of shown) expect(text, file).toBe(await read(file));
  });
});

/** Variables that only an example reads. */
const OTHER_VARIABLES = new Set(['SYNCLINE_URL', 'SYNCLINE_ADMIN_TOKEN']);

test('every program under examples is shown in a page', async () => {
  const all = [...pages.values()].join('\n');
  const programs: string[] = [];
  for await (const file of glob('examples/*/*.{mjs,sh}', { cwd: projectRoot })) programs.push(file);
  expect(programs.length).toBeGreaterThan(0);
  for (const file of programs) expect(all).toContain(`<!-- example: ${file} -->`);
});

test('every command and option is documented', async () => {
  const groups = /^(?:Running|Looking|Controlling|Checking):$/m;
  const { 1: listed = '' } =
    (await help).split(/^Environment:$/m, 1)[0]?.split(/^Options:$/m) ?? [];
  const commands = listed.split(groups).slice(1).join('\n');
  const names = matches(commands, /^ {2}([a-z]+)/gm).filter((name) => name !== 'help');
  const described = matches(page('docs/cli.md'), /^syncline ([a-z]+)/gm);
  const commandLine = page('docs/cli.md') + page('docs/cli-registries.md');
  expect(described.toSorted()).toEqual(names.toSorted());
  const withOptions = matches(commands, /^ {2}([a-z]+) \[options\]/gm);
  expect(withOptions).toContain('sync');
  for (const text of await Promise.all(withOptions.map((name) => syncline(name, '--help')))) {
    const options = matches(text, /^ {2}(--[a-z]+)/gm);
    for (const option of options) expect.soft(commandLine).toContain(option);
  }
});

test('every error code is documented with advice', () => {
  const [explained = '', advised = ''] = page('docs/errors.md').split('## What to do');
  const all = errorCodeSchema.options.toSorted();
  expect(firstColumn(explained).toSorted()).toEqual(all);
  expect(firstColumn(advised).toSorted()).toEqual(all);
});

test('every status field is documented', () => {
  const explained = firstColumn(section('docs/status.md', '## Fields'));
  expect(explained.toSorted()).toEqual(Object.keys(statusSchema.shape).toSorted());
});

test('every metric is documented', async () => {
  const { body } = await createMetrics().expose();
  const ours = matches(body, /^# TYPE (syncline_\w+)/gm);
  const explained = firstColumn(section('docs/monitoring.md', '## Metrics'));
  const names = explained.filter((name) => name.startsWith('syncline_'));
  expect(names.toSorted()).toEqual(ours.toSorted());
});

test('exactly the routes that exist are documented', async () => {
  const document = await read('apps/api/openapi.yaml');
  const paths = matches(document, /^ {2}(\/\S+):$/gm);
  const described = codes(withoutFences(page('docs/http-api.md') + page('docs/http-api-v1.md')))
    .map((code) => code.replace(/^(GET|POST) /, ''))
    .filter((code) =>
      /^\/(registry\/.+\/|v1\/|health|readiness|version|metrics|openapi)/.test(code),
    );
  expect([...new Set(described)].toSorted()).toEqual(paths.toSorted());
});
