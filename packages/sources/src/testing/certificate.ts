/**
 * A self-signed certificate. Tests create a new one each time, because a committed certificate
 * would expire.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

const DAY_MS = 86_400_000;

const encode = (tag: number, ...contents: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : [0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...items: readonly Uint8Array[]) => encode(0x30, ...items);
const bytes = (...values: readonly number[]) => Buffer.from(values);
const oid = (hex: string) => encode(0x06, Buffer.from(hex, 'hex'));

/** The object identifier of ecdsa-with-SHA256. */
const ALGORITHM = sequence(oid('2a8648ce3d040302'));

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return encode(0x17, Buffer.from(`${text}Z`));
}

function commonName(name: string): Buffer {
  return sequence(encode(0x31, sequence(oid('550403'), encode(0x0c, Buffer.from(name)))));
}

/**
 * Returns the extensions: basicConstraints marks an authority; subjectAltName lists the names and
 * addresses.
 */
function extensions(names: readonly string[], ipv4: readonly number[]): Buffer {
  const isAuthority = sequence(
    oid('551d13'),
    bytes(0x01, 0x01, 0xff),
    encode(0x04, sequence(bytes(0x01, 0x01, 0xff))),
  );
  const alternatives = [
    ...names.map((name) => encode(0x82, Buffer.from(name))),
    encode(0x87, bytes(...ipv4)),
  ];
  const subjectNames = sequence(oid('551d11'), encode(0x04, sequence(...alternatives)));
  return encode(0xa3, sequence(isAuthority, subjectNames));
}

/** Creates a certificate for 127.0.0.1 and the given names, valid from yesterday to tomorrow. */
export function createCertificate(...names: readonly string[]): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = commonName('Syncline test');
  const body = sequence(
    encode(0xa0, bytes(0x02, 0x01, 0x02)),
    bytes(0x02, 0x01, 0x01),
    ALGORITHM,
    name,
    sequence(utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(names, [127, 0, 0, 1]),
  );
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: pem(sequence(body, ALGORITHM, signature(body, privateKey))),
  };
}

function signature(body: Uint8Array, key: KeyObject): Buffer {
  return encode(0x03, bytes(0), sign('sha256', body, key));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
