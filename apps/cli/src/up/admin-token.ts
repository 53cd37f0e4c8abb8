import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const TOKEN_BYTES = 32;

/**
 * Returns the path of the admin token in the data directory. At the first start, makes the token. Only the system
 * account of this process can read it.
 */
export async function provideAdminToken(dataDir: string): Promise<string> {
  const path = join(dataDir, 'admin.token');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // Whoever can write here could replace the token. Fails if the directory belongs to another user.
  await chmod(dataDir, 0o700);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) {
    await chmod(path, 0o600);
    return path;
  }
  // A process that ends in the middle leaves no part of a token behind.
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`, { mode: 0o600 });
  await rename(draft, path);
  return path;
}
