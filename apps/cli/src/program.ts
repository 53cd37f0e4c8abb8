import { VERSION } from '@syncline/runtime/version';
import { Command } from 'commander';
import { addCompletion, addDoctor, addValidate } from './commands/check.ts';
import { addApprove, addResume, addRollback, addSuspend } from './commands/control.ts';
import { addApi, addScheduler, addUp, addWorker } from './commands/run.ts';
import { addDiff, addRuns, addStatus } from './commands/show.ts';
import { addSync } from './commands/sync.ts';
import { turnColorsOff } from './format/style.ts';

const GROUPS = [
  { heading: 'Running:', commands: [addUp, addScheduler, addWorker, addApi] },
  { heading: 'Inspecting:', commands: [addStatus, addRuns, addDiff] },
  {
    heading: 'Controlling:',
    commands: [addSync, addSuspend, addResume, addApprove, addRollback],
  },
  { heading: 'Checking:', commands: [addValidate, addDoctor, addCompletion] },
];

const MORE_HELP = `
Environment:
  REDIS_URL         the Redis to use. If it is not set, up starts a Redis, and the other
                    commands use the one that up started on the same SYNCLINE_DATA_DIR
  SYNCLINE_CONFIG   the config file; --config overrides it
  SYNCLINE_PREFIX   the prefix of all keys in Redis
  NO_COLOR          turns colours off; FORCE_COLOR=1 turns them on without a terminal
  docs/configuration-reference.md lists all variables.

Exit status:
  0 done, 1 failed, 2 bad usage, environment or config, 3 diff --exit-code found
  changes, 130 ended by Ctrl-C

Example:
  $ syncline up --config examples/quickstart.yaml`;

export interface ProgramOptions {
  /** Whether usage errors are reported as JSON. Then commander must not print them. */
  readonly isJson?: boolean;
}

/** Creates the command line. Commands throw their errors and do not print them. */
export function createProgram({ isJson = false }: ProgramOptions = {}): Command {
  const program = new Command('syncline')
    .description(
      'Mirrors MCP server registries and keeps the mirrors in sync with their upstreams.',
    )
    .version(VERSION)
    .option('--config <file>', 'the config file (default: SYNCLINE_CONFIG, or ./syncline.yaml)')
    .option('--no-color', 'print without colours, as with NO_COLOR')
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
