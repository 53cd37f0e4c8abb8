/**
 * Writes what the documentation takes from the code: `docs/config.schema.json`, and in
 * `docs/configuration.md` what stands between `<!-- generated:… -->` markers. With `--check` it writes
 * nothing, and exits 1 naming what is stale.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  configJsonSchema,
  envVariables,
  isDuration,
  itemSchema,
  type JsonSchema,
  propertiesOf,
} from '../packages/runtime/src/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const schemaFile = `${root}docs/config.schema.json`;
const pageFile = `${root}docs/configuration.md`;

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const wanted = new Map([
  [schemaFile, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`],
  [pageFile, await configurationPage()],
]);
for (const [file, text] of wanted) {
  if (text === (await readFile(file, 'utf8').catch(() => ''))) continue;
  const name = relative(root, file);
  if (values.check) {
    process.stderr.write(`${name} is stale: run node_modules/.bin/node infra/generate-docs.ts\n`);
    process.exitCode = 1;
  } else {
    await writeFile(file, text);
    process.stdout.write(`wrote ${name}\n`);
  }
}

async function configurationPage(): Promise<string> {
  const page = await readFile(pageFile, 'utf8');
  const withOptions = replaceSection(page, 'options', optionsReference());
  return replaceSection(withOptions, 'environment', environmentReference());
}

function replaceSection(page: string, name: string, text: string): string {
  const begin = `<!-- generated:${name} -->`;
  const end = `<!-- /generated:${name} -->`;
  const [before, rest] = page.split(begin, 2);
  const after = rest?.split(end, 2)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`${relative(root, pageFile)} has no section between ${begin} and ${end}`);
  }
  return `${before}${begin}\n\n${text}\n\n${end}${after}`;
}

/** A table for each block of the config, outermost first. */
function optionsReference(): string {
  return blocksIn('', configJsonSchema())
    .map(({ path, schema }) => {
      const heading = path === '' ? '### The whole file' : `### \`${path}\``;
      return [heading, schema.description ?? '', optionsTable(schema)].join('\n\n');
    })
    .join('\n\n');
}

interface Block {
  readonly path: string;
  readonly schema: JsonSchema;
}

function blocksIn(path: string, schema: JsonSchema): Block[] {
  const inner = [...propertiesOf(schema)].flatMap(([key, value]) => {
    const keyPath = path === '' ? key : `${path}.${key}`;
    const item = itemSchema(value);
    return item === undefined ? blocksIn(keyPath, value) : blocksIn(`${keyPath}[]`, item);
  });
  return propertiesOf(schema).size === 0 ? [] : [{ path, schema }, ...inner];
}

function optionsTable(schema: JsonSchema): string {
  const required = new Set(schema.required);
  const rows = [...propertiesOf(schema)].map(([key, value]) => [
    `\`${key}\``,
    typeName(value),
    required.has(key) ? 'required' : defaultText(value),
    value.description ?? '',
  ]);
  return table(['Option', 'Type', 'Default', 'What it does'], rows);
}

function typeName(schema: JsonSchema): string {
  const item = itemSchema(schema);
  if (item !== undefined) return propertiesOf(item).size > 0 ? 'list of blocks' : 'list of text';
  if (schema.type === 'object') return 'block';
  if (isDuration(schema)) return 'duration';
  if (schema.format === 'uri') return 'URL';
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.type === 'integer' || schema.type === 'number') {
    const name = schema.type === 'integer' ? 'whole number' : 'number';
    return `${name}, ${schema.minimum} to ${schema.maximum}`;
  }
  return 'text';
}

function defaultText(schema: JsonSchema): string {
  if (schema.default === undefined) return 'none';
  // An empty block has the defaults of its own options.
  if (schema.type === 'object') return 'see below';
  if (typeof schema.default === 'string') return `\`${schema.default}\``;
  return `\`${JSON.stringify(schema.default)}\``;
}

function environmentReference(): string {
  const rows = envVariables().map(({ name, default: fallback, description }) => [
    `\`${name}\``,
    fallback === undefined ? 'unset' : `\`${fallback}\``,
    description,
  ]);
  return table(['Variable', 'Default', 'What it does'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
