import { setTimeout as delay } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import type { Command } from 'commander';
import { describeError } from '../errors.ts';
import { addExamples } from '../examples.ts';
import { formatRegistryDetails } from '../format/registry-details.ts';
import { formatRegistries } from '../format/registry-table.ts';
import { print, toJson } from '../output.ts';
import { type Store, type Views, withStore } from '../store.ts';

const WATCH_EVERY_MS = 1_000;
/** To the top left, and all below is cleared: without the flicker of clearing first. */
const REDRAW = '\x1b[H\x1b[J';

interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
}

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show how the registries are, or everything about one')
    .argument('[registry]')
    .option('--json', 'a list of registries, as GET /v1/registries has them')
    .option('--watch', 'show it again whenever it changes, until Ctrl-C')
    .action((registry: string | undefined, options: StatusOptions) =>
      withStore(program, (store) =>
        options.watch === true
          ? watch(store, registry, options)
          : show(store, registry, options).then(({ text }) => print(text)),
      ),
    );
  addExamples(command, [
    'syncline status',
    'syncline status --watch',
    'syncline status official --json',
  ]);
}

interface Shown {
  readonly text: string;
  /** Changes when the registries do; `text` has ages in it, which always change. */
  readonly mark: string;
}

async function show(
  store: Store,
  name: string | undefined,
  { json }: StatusOptions,
): Promise<Shown> {
  const configs = name === undefined ? await store.registries() : [await store.registry(name)];
  const found = await store.view(configs);
  const mark = toJson(found.views);
  if (json === true) return { text: toJson(found.views, 2), mark };
  return { text: name === undefined ? tableOf(found) : detailsOf(found), mark };
}

function tableOf({ views, nowMs }: Views): string {
  return formatRegistries(views, { nowMs });
}

function detailsOf({ views, nowMs }: Views): string {
  return views.map((view) => formatRegistryDetails(view, { nowMs })).join('\n\n');
}

/** Goes on while Redis is away: what is watched for may be that it comes back. */
async function watch(
  store: Store,
  name: string | undefined,
  options: StatusOptions,
): Promise<never> {
  const isScreen = process.stdout.isTTY === true && options.json !== true;
  let mark: string | undefined;
  for (;;) {
    const shown = await show(store, name, options).catch(toTrouble);
    if (isScreen) print(`${REDRAW}${shown.text}`);
    else if (shown.mark !== mark) print(options.json === true ? shown.mark : shown.text);
    mark = shown.mark;
    await delay(WATCH_EVERY_MS);
  }
}

function toTrouble(error: unknown): Shown {
  if (error instanceof SynclineError && error.code === 'unknown-registry') throw error;
  const text = describeError(error);
  return { text, mark: text };
}
