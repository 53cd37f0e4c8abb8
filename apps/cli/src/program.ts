import { VERSION } from '@syncline/runtime';
import { Command } from 'commander';
import { addApi } from './commands/api.ts';
import { addApprove } from './commands/approve.ts';
import { addDiff } from './commands/diff.ts';
import { addResume } from './commands/resume.ts';
import { addRollback } from './commands/rollback.ts';
import { addRuns } from './commands/runs.ts';
import { addScheduler } from './commands/scheduler.ts';
import { addStatus } from './commands/status.ts';
import { addSuspend } from './commands/suspend.ts';
import { addSync } from './commands/sync.ts';
import { addUp } from './commands/up.ts';
import { addValidate } from './commands/validate.ts';
import { addWorker } from './commands/worker.ts';

const COMMANDS = [
  addUp,
  addStatus,
  addSync,
  addRuns,
  addDiff,
  addSuspend,
  addResume,
  addApprove,
  addRollback,
  addValidate,
  addScheduler,
  addWorker,
  addApi,
];

/** The command line: what can be said, and what is done about it. Errors are thrown, never printed. */
export function createProgram(): Command {
  const program = new Command('syncline')
    .description('Keeps copies of many MCP server registries in step with their upstreams.')
    .version(VERSION)
    .option('--config <file>', 'the config file; else SYNCLINE_CONFIG, else ./syncline.yaml')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText(
      'after',
      `
REDIS_URL says which Redis to use. Without it, up starts one of its own, and the other
commands use the one that up has started on the same SYNCLINE_DATA_DIR.

Exit status: 0 done, 1 failed, 2 bad usage or config.

Example:
  $ syncline up --config examples/quickstart.yaml`,
    );
  for (const add of COMMANDS) add(program);
  return program;
}
