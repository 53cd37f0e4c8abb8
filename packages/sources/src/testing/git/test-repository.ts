import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SEARCH_PATH } from './search-path.ts';

const run = promisify(execFile);

const ENV = {
  PATH: SEARCH_PATH,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@syncline.example',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@syncline.example',
  GIT_ALLOW_PROTOCOL: 'file',
};

/** A file of a commit: its text, or the target of a link. `undefined` removes the file. */
export type TestFile = string | { readonly link: string } | undefined;

/** A repository with a working tree, in its own directory. */
export class TestRepository {
  /** The directory that contains the repository, for servers. */
  readonly root: string;
  /** The repository's name in `root`. */
  readonly name = 'registry.git';

  private constructor(root: string) {
    this.root = root;
  }

  /**
   * Creates a repository. @param config a list of `name=value`; by default the repository serves
   * filtered fetches, as large hosts do
   */
  static async create({
    objectFormat = 'sha1',
    config = ['uploadpack.allowFilter=true'],
  }: {
    objectFormat?: string;
    config?: readonly string[];
  } = {}): Promise<TestRepository> {
    const root = await mkdtemp(join(tmpdir(), 'syncline-repository-'));
    const repository = new TestRepository(root);
    await repository.init(objectFormat);
    for (const setting of config) {
      const [name = '', value = ''] = setting.split('=');
      await repository.git('config', name, value);
    }
    return repository;
  }

  get directory(): string {
    return join(this.root, this.name);
  }

  async init(objectFormat = 'sha1'): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await this.git('init', '--quiet', '-b', 'main', `--object-format=${objectFormat}`);
  }

  async git(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('git', args, { cwd: this.directory, env: ENV });
    return stdout.trim();
  }

  /** Commits changed files. @returns the id of the commit */
  async commit(files: Readonly<Record<string, TestFile>>): Promise<string> {
    for (const [path, file] of Object.entries(files)) await this.#write(path, file);
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--allow-empty', '--message=change');
    return this.git('rev-parse', 'HEAD');
  }

  /** Replaces the history with one new commit. */
  async rewrite(files: Readonly<Record<string, TestFile>>): Promise<string> {
    await this.git('checkout', '--quiet', '--orphan', 'rewritten');
    await this.commit(files);
    await this.git('branch', '--quiet', '-M', 'rewritten', 'main');
    return this.git('rev-parse', 'HEAD');
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  async #write(path: string, file: TestFile): Promise<void> {
    const target = join(this.directory, path);
    await rm(target, { recursive: true, force: true });
    if (file === undefined) return;
    await mkdir(dirname(target), { recursive: true });
    if (typeof file === 'string') await writeFile(target, file);
    else await symlink(file.link, target);
    if (typeof file === 'string') await chmod(target, 0o644);
  }
}
