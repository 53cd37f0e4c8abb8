import { expect, test } from 'vitest';
import { MemoryBudget } from '../../memory/memory-budget.ts';
import type { TakeBody } from '../../source.ts';
import { gitSource, testGit, testRepository } from '../../testing/git/git-harness.ts';
import { sourceContext } from '../../testing/source-context.ts';

const MIB = 1024 * 1024;
const THREAD_BYTES = 72 * MIB;

/** The memory for runs of a process with 256 MiB, and with 358 MiB. */
test.each([96, 172])(
  'reads a repository beside the thread of its run, with %i MiB',
  async (mib) => {
    const budget = new MemoryBudget({ totalBytes: mib * MIB });
    budget.keepForSmall(THREAD_BYTES + 4 * MIB);
    using memory = budget.open('internal');
    const files = { 'm/a.json': 'x'.repeat(2 * MIB), 'm/b.json': 'y' };
    const repository = await testRepository();
    await repository.commit(files);
    const { git } = await testGit();
    const context = { ...sourceContext(), memory };
    const thread = await memory.reserve(0, { use: 'ingest', signal: context.signal });
    let rowBytes = 0;
    const take: TakeBody = async (body) => {
      rowBytes += body.length;
      await thread.resize(THREAD_BYTES + rowBytes);
      return { format: 'registry-list', rowCount: 1, nextCursor: undefined };
    };
    await gitSource(git, { repository: repository.directory, path: 'm' }).fetch(take, context);
    expect(rowBytes).toBe(2 * MIB + 1);
  },
);
