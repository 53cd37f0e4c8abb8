import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '@syncline/rows';

/**
 * Every authority that this process trusts: Node's own, those of `NODE_EXTRA_CA_CERTS`, and those of the
 * system, which git would go by alone.
 */
export function trustedCertificates(): string[] {
  // An `import` of the module would read all its exports, Node's list of authorities among them: 30 ms.
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** The one file of authorities that git can be given: it takes that for all there are. */
export class CertificateBundle {
  readonly #directory: string;
  readonly #certificates: () => readonly string[];
  #bundle: { readonly path: string; readonly text: string } | undefined;

  constructor(directory: string, certificates: () => readonly string[] = trustedCertificates) {
    this.#directory = directory;
    this.#certificates = certificates;
  }

  /** The file; written anew where it has been deleted. */
  async path(): Promise<string> {
    this.#bundle ??= this.#collect();
    const { path, text } = this.#bundle;
    const size = await stat(path).then(
      (stats) => stats.size,
      () => undefined,
    );
    if (size === Buffer.byteLength(text)) return path;
    await mkdir(this.#directory, { recursive: true });
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, text);
    await rename(fresh, path);
    return path;
  }

  #collect() {
    const text = `${this.#certificates().join('\n')}\n`;
    return { path: join(this.#directory, `certificates-${sha256(text).slice(0, 16)}.pem`), text };
  }
}
