import { VERSION } from '@syncline/runtime/version';
import { Command } from 'commander';
import { addApprove } from './commands/approve.ts';
import { addCompletion } from './commands/completion.ts';
import { addDiff } from './commands/diff.ts';
import { addDoctor } from './commands/doctor.ts';
import { addResume } from './commands/resume.ts';
import { addRollback } from './commands/rollback.ts';
import { addRuns } from './commands/runs.ts';
import { addApi, addScheduler, addWorker } from './commands/services.ts';
import { addStatus } from './commands/status.ts';
import { addSuspend } from './commands/suspend.ts';
import { addSync } from './commands/sync.ts';
import { addUp } from './commands/up.ts';
import { addValidate } from './commands/validate.ts';
import { turnColorsOff } from './format/style.ts';

const GROUPS = [
  { heading: 'Running:', commands: [addUp, addScheduler, addWorker, addApi] },
  { heading: 'Looking:', commands: [addStatus, addRuns, addDiff] },
  {
    heading: 'Controlling:',
    commands: [addSync, addSuspend, addResume, addApprove, addRollback],
  },
  { heading: 'Checking:', commands: [addValidate, addDoctor, addCompletion] },
];

const MORE_HELP = `
Environment:
  REDIS_URL         the Redis to use. Without it, up starts one of its own, and the other
                    commands use the one that up has started on the same SYNCLINE_DATA_DIR
  SYNCLINE_CONFIG   the config file; --config comes first
  SYNCLINE_PREFIX   what all keys in Redis begin with
  NO_COLOR          no colours, as --no-color; FORCE_COLOR=1 has them without a terminal
  docs/configuration.md has all of them.

Exit status:
  0 done, 1 failed, 2 bad usage, environment or config, 3 diff --exit-code has
  found changes, 130 ended by Ctrl-C

Example:
  $ syncline up --config examples/quickstart.yaml`;

export interface ProgramOptions {
  /** Whether who called wants to be told in JSON, also of what is wrong. */
  readonly isJson?: boolean;
}

/** The command line: what can be said, and what is done about it. Errors of commands are thrown, never printed. */
export function createProgram({ isJson = false }: ProgramOptions = {}): Command {
  const program = new Command('syncline')
    .description('Keeps copies of many MCP server registries in step with their upstreams.')
    .version(VERSION)
    .option('--config <file>', 'the config file; else SYNCLINE_CONFIG, else ./syncline.yaml')
    .option('--no-color', 'no colours, as with NO_COLOR set')
    .on('option:no-color', turnColorsOff)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => (isJson ? undefined : write(text)) })
    .exitOverride()
    .addHelpText('after', MORE_HELP);
  for (const { heading, commands } of GROUPS) {
    program.commandsGroup(heading);
    for (const add of commands) add(program);
  }
  return program.helpCommand('help [command]', 'show the help of a command');
}
