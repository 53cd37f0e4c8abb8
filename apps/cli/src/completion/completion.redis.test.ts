import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { redisKeys } from '@syncline/contract';
import { publishConfig } from '@syncline/redis';
import { parseConfig } from '@syncline/runtime/config';
import {
  nodeBinary,
  PROGRAMS,
  projectRoot,
  runCommand,
  suiteLifetime,
  temporaryDirectory,
  testRedis,
} from '@syncline/test/support';
import { beforeAll, describe, expect, test } from 'vitest';

const HELD = 'abcdef0123456789';

/** How to make each shell complete typed words. The last word is incomplete. */
const SHELLS = {
  bash: {
    args: (script: string) => ['--norc', '-c', script],
    complete: (file: string, words: readonly string[]) => `
      source ${file}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _syncline syncline '${words.at(-1)}' '${words.at(-2)}'
      printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  // The completion functions of zsh need an editor, so the test replaces these functions and reads
  // their arguments.
  zsh: {
    args: (script: string) => ['-f', '-c', script],
    complete: (file: string, words: readonly string[]) => `
      compdef() { }
      _describe() { shift; [[ $1 == option ]] && shift; print -l -- \${\${(P)1}%%:*} }
      compadd() { print -l -- \${(P)2} }
      _files() { print -l -- *(N) }
      source ${file}
      words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}
      _syncline`,
  },
  fish: {
    args: (script: string) => ['--no-config', '-c', script],
    complete: (file: string, words: readonly string[]) => `
      source ${file}
      complete -C '${words.join(' ')}' | string split -f1 \\t; true`,
  },
} as const;

describe.each(Object.entries(SHELLS))('%s', (shell, { args, complete }) => {
  const isThere = spawnSync(shell, ['--version']).error === undefined;
  const lifetime = suiteLifetime();
  let directory: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    directory = await temporaryDirectory(lifetime);
    const { url, prefix, client } = testRedis({ lifetime });
    const keys = redisKeys(prefix);
    const registries = ['official', 'team'].map((name) => ({ name, file: { path: '/none' } }));
    const config = parseConfig('syncline.yaml', JSON.stringify({ registries }));
    await publishConfig({ redis: client, keys }, config);
    const held = { snapshot: HELD, since: '2026-08-01T12:00:00Z', reason: 'empty' };
    await client.hset(
      keys.status('team'),
      'held',
      JSON.stringify({ ...held, rowCountBefore: 1, rowCountAfter: 0 }),
    );
    const wrapper = path.join(directory, 'syncline');
    const main = path.join(projectRoot, PROGRAMS.cli);
    await writeFile(wrapper, `#!/bin/sh\nexec '${nodeBinary()}' '${main}' "$@"\n`);
    await chmod(wrapper, 0o755);
    const search = `${directory}:${process.env['PATH']}`;
    env = { PATH: search, REDIS_URL: url, SYNCLINE_PREFIX: prefix };
    const script = await runCommand(wrapper, ['completion', shell], { directory, env });
    await writeFile(path.join(directory, 'script'), script);
  });

  const candidates = async (words: readonly string[], more: Record<string, string> = {}) => {
    const script = complete(path.join(directory, 'script'), ['syncline', ...words]);
    const printed = await runCommand(shell, args(script), { directory, env: { ...env, ...more } });
    const last = words.at(-1) ?? '';
    return printed.split('\n').filter((word) => word !== '' && word.startsWith(last));
  };

  test.skipIf(!isThere)('completes commands, options, names and digests', async () => {
    expect(await candidates(['stat'])).toEqual(['status']);
    expect(await candidates(['--conf'])).toEqual(['--config']);
    expect(await candidates(['status', '--w'])).toEqual(['--watch']);
    expect(await candidates(['sync', '--timeout', '5m', '--fo'])).toEqual(['--force']);
    expect(await candidates(['completion', 'z'])).toEqual(['zsh']);
    expect(await candidates(['help', 'roll'])).toEqual(['rollback']);
    expect((await candidates(['runs', ''])).toSorted()).toEqual(['official', 'team']);
    expect(await candidates(['runs', '--limit', '5', 't'])).toEqual(['team']);
    expect(await candidates(['approve', 'team', 'ab'])).toEqual([HELD.slice(0, 12)]);
    expect(await candidates(['runs', 'team', ''])).toEqual([]);
    expect(await candidates(['validate', 'scr'])).toEqual(['script']);
    expect(await candidates(['--config', 'scr'])).toEqual(['script']);
  });

  test.skipIf(!isThere)('has no candidates while Redis is away', async () => {
    expect(await candidates(['runs', ''], { REDIS_URL: 'redis://127.0.0.1:1' })).toEqual([]);
  });
});
