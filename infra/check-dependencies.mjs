// Checks which of our packages may depend on which. The rules keep the domain independent of Redis, and the apps
// independent of each other.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGES = [
  'contract',
  'rows',
  'snapshot',
  'sources',
  'sync',
  'serving',
  'redis',
  'runtime',
  'client',
];
const APPS = ['scheduler', 'worker', 'api'];
const MAY_DEPEND_ON = {
  contract: [],
  rows: ['contract'],
  snapshot: ['rows', 'contract'],
  sources: ['rows', 'contract'],
  sync: ['snapshot', 'sources', 'rows', 'contract'],
  serving: ['snapshot', 'rows', 'contract'],
  redis: ['sync', 'snapshot', 'sources', 'contract'],
  runtime: ['contract'],
  client: ['contract'],
  scheduler: PACKAGES,
  worker: PACKAGES,
  api: PACKAGES,
  cli: [...PACKAGES, ...APPS],
  test: PACKAGES,
  chaos: [...PACKAGES, ...APPS, 'test'],
};
const SCOPE = '@syncline/';

const problems = findManifests().flatMap((file) => {
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  const name = manifest.name.slice(SCOPE.length);
  const allowed = MAY_DEPEND_ON[name];
  if (allowed === undefined) return [`${file}: ${manifest.name} is missing in MAY_DEPEND_ON`];
  // Tests of an app may use test/support. Tests of a package may not, because test/support uses packages.
  const allowedForTests = [...allowed, ...(file.startsWith('apps/') ? ['test'] : [])];
  return [
    ...forbidden(manifest.dependencies, allowed),
    ...forbidden(manifest.devDependencies, allowedForTests),
  ].map((dependency) => `${file}: ${name} may not depend on ${dependency}`);
});
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function forbidden(dependencies, allowed) {
  return Object.keys(dependencies ?? {})
    .filter((dependency) => dependency.startsWith(SCOPE))
    .map((dependency) => dependency.slice(SCOPE.length))
    .filter((dependency) => !allowed.includes(dependency));
}

function findManifests() {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(parent).map((folder) => join(parent, folder)),
  );
  return [...folders, 'test', 'test/chaos']
    .map((folder) => join(folder, 'package.json'))
    .filter(existsSync);
}
