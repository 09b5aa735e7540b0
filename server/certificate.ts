import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { generate } from 'selfsigned';
import { DAY_MS } from '../shared/limits.ts';
import { ConfigError } from './config.ts';

/** What a TLS server presents, both in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Browsers refuse longer ones. */
const VALID_DAYS = 397;
const RENEW_BEFORE_DAYS = 30;
/** Clocks of phones are late. */
const BACKDATED_DAYS = 1;

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Bridges of containers and virtual machines: real addresses, but nobody's phone is there. */
const virtual = /^(docker|br-|veth|virbr|vmnet|cni|podman)/;

/**
 * The IPv4 addresses of this machine, those that others are likely to reach first. IPv6 is left out: its addresses change daily, and each
 * change would be a new certificate.
 */
export function lanAddresses(interfaces: Interfaces = networkInterfaces()): string[] {
  const byName = Object.entries(interfaces).sort(([a], [b]) => Number(virtual.test(a)) - Number(virtual.test(b)));
  const all = byName.flatMap(([, addresses]) => addresses ?? []);
  return all.filter(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.')).map(({ address }) => address);
}

/** This machine's own names in its network, in lower case: as it is called, and as multicast DNS calls it. */
export function machineNames(name: string = hostname()): string[] {
  const lower = name.toLowerCase();
  if (!/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,8}$/.test(lower) || lower === 'localhost') return [];
  return lower.includes('.') ? [lower] : [lower, `${lower}.local`];
}

/** Everything that the certificate of this machine is for. */
export const ownNames = (): string[] => ['localhost', ...machineNames(), '127.0.0.1', '::1', ...lanAddresses()];

const isAddress = (name: string): boolean => /^[0-9.]+$/.test(name) || name.includes(':');

const covers = (certificate: X509Certificate, name: string): boolean =>
  (isAddress(name) ? certificate.checkIP(name) : certificate.checkHost(name, { subject: 'never' })) !== undefined;

async function make(names: readonly string[], nowMs: number): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'Tessera on this machine' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(nowMs - BACKDATED_DAYS * DAY_MS),
    notAfterDate: new Date(nowMs + (VALID_DAYS - BACKDATED_DAYS) * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map((name) => (isAddress(name) ? { type: 7, ip: name } : { type: 2, value: name })) },
    ],
  });
  return { cert, key };
}

/** What is kept, or null when there is nothing, it is damaged, or it does not do any more. */
async function kept(folder: string, names: readonly string[], nowMs: number): Promise<Certificate | null> {
  try {
    const [cert, key] = await Promise.all([readFile(join(folder, 'certificate.pem'), 'utf8'), readFile(join(folder, 'key.pem'), 'utf8')]);
    createSecureContext({ cert, key });
    const parsed = new X509Certificate(cert);
    const isFresh = parsed.validFromDate.getTime() <= nowMs && parsed.validToDate.getTime() > nowMs + RENEW_BEFORE_DAYS * DAY_MS;
    return isFresh && names.every((name) => covers(parsed, name)) ? { cert, key } : null;
  } catch {
    return null;
  }
}

/** Never half a file, and a key that nobody else may read from its first byte on. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const making = `${path}.${process.pid}.new`;
  await writeFile(making, text, { mode, flag: 'wx' });
  await rename(making, path);
}

/**
 * The self-signed certificate in `<dataDir>/tls`. Made anew when there is none for all of `names`, or within thirty days of its end. A pair that
 * a crash left apart does not fit together and is made anew too.
 */
export async function ownCertificate(
  dataDir: string,
  names: readonly string[] = ownNames(),
  nowMs: number = Date.now(),
): Promise<Certificate & { readonly isNew: boolean }> {
  const folder = join(dataDir, 'tls');
  const old = await kept(folder, names, nowMs);
  if (old) return { ...old, isNew: false };
  const made = await make(names, nowMs);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replace(join(folder, 'key.pem'), made.key, 0o600);
  await replace(join(folder, 'certificate.pem'), made.cert, 0o644);
  return { ...made, isNew: true };
}

/** The operator's files. Throws a `ConfigError` that names the variable whose file does not do. */
export async function givenCertificate(
  { certPath, keyPath }: { readonly certPath: string; readonly keyPath: string },
  nowMs: number = Date.now(),
): Promise<Certificate> {
  const cert = await readPem('TLS_CERT', certPath);
  const key = await readPem('TLS_KEY', keyPath);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(cert);
  } catch {
    throw new ConfigError(`TLS_CERT is ${JSON.stringify(certPath)}, which holds no certificate; it must be a file in PEM, the chain after it.`);
  }
  if (parsed.validToDate.getTime() <= nowMs) throw new ConfigError(`TLS_CERT is ${JSON.stringify(certPath)}, which ran out on ${parsed.validTo}.`);
  try {
    createSecureContext({ cert, key });
  } catch {
    throw new ConfigError(`TLS_KEY is ${JSON.stringify(keyPath)}, which is not the key of TLS_CERT; it must be a file in PEM, without a passphrase.`);
  }
  return { cert, key };
}

async function readPem(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${variable} is ${JSON.stringify(path)}, which cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
