import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { givenCertificate, lanAddresses, machineNames, ownCertificate } from './certificate.ts';
import { withApp } from './http/testing.ts';

const DAY_MS = 86_400_000;
const names = ['localhost', 'studio', 'studio.local', '127.0.0.1', '::1', '192.168.7.20'];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-tls-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the certificate of this machine', () => {
  test('is for every name and address, for a server, for thirteen months', async () => {
    const { cert, key, isNew } = await ownCertificate(folder, names);
    expect(isNew).toBe(true);
    const parsed = new X509Certificate(cert);
    for (const name of ['localhost', 'studio', 'studio.local']) expect(parsed.checkHost(name), name).toBe(name);
    for (const address of ['127.0.0.1', '192.168.7.20']) expect(parsed.checkIP(address), address).toBe(address);
    expect(parsed.checkIP('::1')).toBeDefined();
    expect(parsed.checkHost('tessera.example')).toBeUndefined();
    expect(parsed.checkIP('192.168.7.21')).toBeUndefined();
    expect(parsed.ca).toBe(false);
    expect(parsed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    const days = (parsed.validToDate.getTime() - parsed.validFromDate.getTime()) / DAY_MS;
    expect(days).toBeGreaterThan(390);
    expect(days).toBeLessThanOrEqual(398);
    expect(key).toContain('PRIVATE KEY');
  });

  test('is kept with a key that nobody else may read', async () => {
    const made = await ownCertificate(folder, names);
    expect((await stat(join(folder, 'tls/key.pem'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'tls'))).mode & 0o777).toBe(0o700);
    expect(await ownCertificate(folder, names)).toEqual({ ...made, isNew: false });
    expect((await ownCertificate(folder, names.slice(0, 4))).cert).toBe(made.cert);
  });

  test('is made anew for another address, near its end, and when it is damaged', async () => {
    const first = await ownCertificate(folder, names);
    const moved = await ownCertificate(folder, [...names, '10.0.0.9']);
    expect(moved.cert).not.toBe(first.cert);
    expect(new X509Certificate(moved.cert).checkIP('10.0.0.9')).toBe('10.0.0.9');
    expect((await ownCertificate(folder, names, Date.now() + 360 * DAY_MS)).isNew).toBe(false);
    expect((await ownCertificate(folder, names, Date.now() + 370 * DAY_MS)).isNew).toBe(true);
    expect((await ownCertificate(folder, names)).isNew, 'one that is not valid yet').toBe(true);
    await writeFile(join(folder, 'tls/key.pem'), first.key);
    expect((await ownCertificate(folder, names)).isNew, 'another certificate’s key').toBe(true);
    expect((await stat(join(folder, 'tls/key.pem'))).mode & 0o777).toBe(0o600);
  });
});

test('addresses are those that others reach', () => {
  const ipv4 = (address: string, internal = false) => ({ address, internal, family: 'IPv4', netmask: '255.255.255.0', mac: '', cidr: null }) as const;
  const ipv6 = { address: 'fd00::2', internal: false, family: 'IPv6', netmask: '', mac: '', cidr: null, scopeid: 0 } as const;
  const interfaces = {
    lo: [ipv4('127.0.0.1', true)],
    docker0: [ipv4('172.17.0.1')],
    eth0: [ipv6, ipv4('192.168.7.20')],
    wlan0: [ipv4('169.254.3.3'), ipv4('10.1.1.1')],
  };
  expect(lanAddresses(interfaces)).toEqual(['192.168.7.20', '10.1.1.1', '172.17.0.1']);
});

test('names are those of a machine', () => {
  expect(machineNames('Studio')).toEqual(['studio', 'studio.local']);
  expect(machineNames('render.example.org')).toEqual(['render.example.org']);
  expect(machineNames('localhost')).toEqual([]);
  expect(machineNames('böse:name')).toEqual([]);
});

test('a client that knows the certificate shakes hands, another does not', async () => {
  const certificate = await ownCertificate(folder, names);
  const options = { certificate, config: { publicOrigin: 'https://studio.local', tls: 'own' as const } };
  await withApp(async ({ app }) => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const get = (ca?: string): Promise<Record<string, unknown>> =>
      new Promise((resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port, path: '/healthz', ...(ca && { ca }) }, (response) => {
          response.resume();
          response.on('end', () => resolve({ status: response.statusCode, hsts: response.headers['strict-transport-security'] }));
        });
        asked.on('error', reject).end();
      });
    // HSTS would take away the way past the browser's warning.
    expect(await get(certificate.cert)).toEqual({ status: 200, hsts: undefined });
    await expect(get()).rejects.toThrow(/self-signed/);
  }, options);
});

describe('the operator’s certificate', () => {
  const paths = async () => {
    const { cert, key } = await ownCertificate(folder, names);
    const given = { certPath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem') };
    await Promise.all([writeFile(given.certPath, cert), writeFile(given.keyPath, key)]);
    return given;
  };

  test('is taken as it is', async () => {
    const given = await paths();
    expect(await givenCertificate(given)).toEqual({ cert: await readFile(given.certPath, 'utf8'), key: await readFile(given.keyPath, 'utf8') });
  });

  test('is refused by the name of its variable', async () => {
    const given = await paths();
    await expect(givenCertificate({ ...given, certPath: '/no/such' })).rejects.toThrow('TLS_CERT is "/no/such", which cannot be read (ENOENT)');
    await expect(givenCertificate({ ...given, keyPath: folder })).rejects.toThrow('TLS_KEY is');
    await expect(givenCertificate({ ...given, certPath: given.keyPath })).rejects.toThrow(/TLS_CERT is .* holds no certificate/);
    await expect(givenCertificate(given, Date.now() + 400 * DAY_MS)).rejects.toThrow(/TLS_CERT is .* ran out on/);
    await rm(join(folder, 'tls'), { recursive: true });
    await writeFile(given.keyPath, (await ownCertificate(folder, names)).key);
    await expect(givenCertificate(given)).rejects.toThrow(/TLS_KEY is .* not the key of TLS_CERT/);
  });
});
