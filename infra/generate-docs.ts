/**
 * Writes the generated parts of the documentation: `docs/config.schema.json`, and the sections of
 * `docs/configuration-reference.md` and `docs/errors.md` between `<!-- generated:… -->` markers. With `--check`, writes
 * nothing. If a file is outdated, names the file and exits with 1.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ERRORS } from '../packages/contract/src/index.ts';
import {
  alternativesOf,
  configJsonSchema,
  isDuration,
  itemSchema,
  type JsonSchema,
  propertiesOf,
  valueSchema,
} from '../packages/runtime/src/config/index.ts';
import { envVariables } from '../packages/runtime/src/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const schemaFile = `${root}docs/config.schema.json`;
const pageFile = `${root}docs/configuration-reference.md`;
const errorsFile = `${root}docs/errors.md`;

const OPTION_HEAD = ['Option', 'Type', 'Default', 'What it does'];

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const wanted = new Map([
  [schemaFile, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`],
  [
    pageFile,
    await withSections(pageFile, {
      options: optionsReference(),
      environment: environmentReference(),
    }),
  ],
  [errorsFile, await withSections(errorsFile, { errors: errorsReference() })],
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

/** Returns the text of the file with each generated section replaced. */
async function withSections(
  file: string,
  sections: Readonly<Record<string, string>>,
): Promise<string> {
  let page = await readFile(file, 'utf8');
  for (const [name, text] of Object.entries(sections)) {
    const begin = `<!-- generated:${name} -->`;
    const end = `<!-- /generated:${name} -->`;
    const [before, rest] = page.split(begin, 2);
    const after = rest?.split(end, 2)[1];
    if (before === undefined || after === undefined) {
      throw new Error(`${relative(root, file)} has no section between ${begin} and ${end}`);
    }
    page = `${before}${begin}\n\n${text}\n\n${end}${after}`;
  }
  return page;
}

/** Returns one table for each block of the config, outermost first. Identical blocks share a table. */
function optionsReference(): string {
  const blocks = blocksIn('', configJsonSchema());
  const byText = Map.groupBy(blocks, ({ schema }) =>
    [schema.description ?? '', optionsTable(schema)].join('\n\n'),
  );
  return [...byText]
    .map(([text, same]) => {
      const paths = same.map(({ path }) => (path === '' ? 'The whole file' : `\`${path}\``));
      return `### ${paths.join(', ')}\n\n${text}`;
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
    const free = valueSchema(value);
    if (item !== undefined) return blocksIn(`${keyPath}[]`, item);
    if (free === undefined) return blocksIn(keyPath, value);
    return alternativesOf(free).flatMap((it) => blocksIn(`${keyPath}.<name>`, it));
  });
  return isBlock(schema) ? [{ path, schema }, ...inner] : inner;
}

function isBlock(schema: JsonSchema): boolean {
  return propertiesOf(schema).size > 0;
}

function optionsTable(schema: JsonSchema): string {
  const required = new Set(schema.required);
  const rows = [...propertiesOf(schema)].map(([key, value]) =>
    optionRow(key, value, { isRequired: required.has(key) }),
  );
  return table(OPTION_HEAD, rows);
}

function optionRow(
  name: string,
  schema: JsonSchema,
  { isRequired }: { isRequired: boolean },
): string[] {
  return [
    `\`${name}\``,
    typeName(schema),
    isRequired ? 'required' : defaultText(schema),
    withExample(schema),
  ];
}

function withExample({ description = '', examples, ...schema }: JsonSchema): string {
  const [example] = examples ?? [];
  const isTelling = typeof example === 'string' && !isDuration(schema);
  return isTelling ? `${description} For example \`${example}\`.` : description;
}

function typeName(schema: JsonSchema): string {
  const item = itemSchema(schema);
  if (item !== undefined) return isBlock(item) ? 'list of blocks' : `list of ${typeName(item)}`;
  const values = valueSchema(schema);
  if (values !== undefined) return `map of ${typeName(values)}`;
  if (schema.anyOf !== undefined) return alternativesOf(schema).map(typeName).join(' or ');
  if (isDuration(schema)) return 'duration';
  if (schema.type === 'object') return 'block';
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
  // If the block is empty, the defaults of its own options apply.
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

function errorsReference(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, retry, fault, advice }]) => [
    `\`${code}\``,
    String(status),
    retry ? 'yes' : 'no',
    fault,
    advice,
  ]);
  return table(['Code', 'HTTP status', 'Retry may help', 'At fault', 'What to do'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
