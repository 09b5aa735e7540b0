import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('defaults', () => {
  const defaults = {
    host: '127.0.0.1',
    port: 8080,
    dataDir: './data',
    databaseUrl: null,
    blobsDir: 'data/blobs',
    uploadsDir: 'data/uploads',
    s3: null,
    publicOrigin: null,
    ratePerUnit: 1_000_000n,
    rates: new Map(),
    gallery: true,
    trustedKeys: [],
    privateSwarm: false,
    vestingMsMax: 600_000,
    retentionMs: 90 * 86_400_000,
    trustProxy: false,
    tls: null,
    payouts: null,
    roomControl: null,
    metricsToken: null,
    logLevel: 'info',
  };
  expect(readConfig({})).toEqual(defaults);
  expect(readConfig({ PORT: '', GALLERY: '', UNHEARD_OF: 'x', PATH: '/bin' })).toEqual(defaults);
});

test('every variable', () => {
  const env = {
    HOST: '0.0.0.0',
    PORT: '0',
    DATA_DIR: '/var/lib/tessera',
    DATABASE_URL: 'postgresql://me:secret@db.example/tessera?sslmode=verify-full',
    BLOBS_DIR: '/mnt/blobs',
    UPLOADS_DIR: '/mnt/uploads',
    S3_ENDPOINT: 'http://store:3900',
    S3_BUCKET: 'tessera',
    S3_REGION: 'garage',
    S3_ACCESS_KEY_ID: 'GK123',
    S3_SECRET_ACCESS_KEY: 'abc/+=',
    S3_PUBLIC_ENDPOINT: 'https://files.example',
    BLOB_CACHE_MIB: '64',
    PUBLIC_ORIGIN: 'https://tessera.example',
    RATE_MICRO_CREDITS_PER_UNIT: '999999999999999',
    RATES: 'some-kind=1,Other2=999999999999999',
    GALLERY: 'off',
    TRUSTED_KEYS: `${'a'.repeat(32)},${'+/='.repeat(60)}`,
    PRIVATE_SWARM: 'on',
    VESTING_SECONDS: '0',
    RETENTION_DAYS: '1',
    TRUST_PROXY: 'on',
    HTTPS: 'on',
    TLS_CERT: '/etc/c.pem',
    TLS_KEY: '/etc/k.pem',
    PAYOUTS: 'on',
    SETTLE_TOKEN: 's'.repeat(32),
    TOKEN_NAME: 'USDC',
    PAYOUT_MINIMUM_MICRO_CREDITS: '3',
    PAYOUT_OPENING_MICRO_CREDITS: '2',
    HOLDBACK_SECONDS: '60',
    SCREENING: './screen.ts',
    ROOM_CONTROL: `http://127.0.0.1:4711/${'r'.repeat(43)}`,
    LOG_LEVEL: 'silent',
  };
  expect(readConfig(env)).toEqual({
    host: '0.0.0.0',
    port: 0,
    dataDir: '/var/lib/tessera',
    databaseUrl: 'postgresql://me:secret@db.example/tessera?sslmode=verify-full',
    blobsDir: '/mnt/blobs',
    uploadsDir: '/mnt/uploads',
    s3: {
      endpoint: 'http://store:3900',
      publicEndpoint: 'https://files.example',
      bucket: 'tessera',
      region: 'garage',
      accessKeyId: 'GK123',
      secretAccessKey: 'abc/+=',
      cacheBytesMax: 64 * 1024 * 1024,
    },
    publicOrigin: 'https://tessera.example',
    ratePerUnit: 999_999_999_999_999n,
    rates: new Map([
      ['some-kind', 1n],
      ['Other2', 999_999_999_999_999n],
    ]),
    gallery: false,
    trustedKeys: ['a'.repeat(32), '+/='.repeat(60)],
    privateSwarm: true,
    vestingMsMax: 0,
    retentionMs: 86_400_000,
    trustProxy: true,
    tls: { certPath: '/etc/c.pem', keyPath: '/etc/k.pem' },
    payouts: {
      settleToken: 's'.repeat(32),
      tokenName: 'USDC',
      minimum: 3n,
      opening: 2n,
      holdbackMs: 60_000,
      screeningPath: './screen.ts',
    },
    roomControl: `http://127.0.0.1:4711/${'r'.repeat(43)}`,
    metricsToken: null,
    logLevel: 'silent',
  });
  for (const origin of ['http://localhost:8080', 'http://192.168.1.5:8080', 'http://[::1]:3000'])
    expect(readConfig({ PUBLIC_ORIGIN: origin }).publicOrigin).toBe(origin);
});

test('https is for others too, unless HOST says otherwise', () => {
  expect(readConfig({ HTTPS: 'on' })).toMatchObject({ host: '0.0.0.0', tls: 'own' });
  expect(readConfig({ HTTPS: 'on', HOST: '127.0.0.1' })).toMatchObject({ host: '127.0.0.1', tls: 'own' });
  expect(() => readConfig({ TLS_CERT: '/etc/c.pem' })).toThrow('TLS_KEY is not set; it must be the file of the certificate');
  expect(() => readConfig({ TLS_KEY: '/etc/k.pem' })).toThrow('TLS_CERT is not set');
});

test.each([
  ['HTTPS', 'yes', 'on or off'],
  ['PORT', '65536', '0 to 65535'],
  ['PORT', '-1', '0 to 65535'],
  ['PORT', '80.5', '0 to 65535'],
  ['PORT', '0x50', '0 to 65535'],
  ['PORT', 'http', '0 to 65535'],
  ['PUBLIC_ORIGIN', 'tessera.example', 'such as https://tessera.example'],
  ['PUBLIC_ORIGIN', 'https://tessera.example/', 'without a path'],
  ['PUBLIC_ORIGIN', 'https://Tessera.example', 'lower case'],
  ['PUBLIC_ORIGIN', 'https://tessera.example:443', 'without a default port'],
  ['PUBLIC_ORIGIN', 'https://tessera.example:99999', 'such as'],
  ['RATE_MICRO_CREDITS_PER_UNIT', '0', 'from 1'],
  ['RATE_MICRO_CREDITS_PER_UNIT', '1e6', 'whole number'],
  ['GALLERY', 'yes', 'on or off'],
  ['TRUST_PROXY', 'true', 'on or off'],
  ['VESTING_SECONDS', '86401', 'from 0 to 86400'],
  ['VESTING_SECONDS', '10m', 'whole number'],
  ['RETENTION_DAYS', '0', 'from 1 to 36500'],
  ['PRIVATE_SWARM', '1', 'everybody who contributes'],
  ['LOG_LEVEL', 'loud', 'silent'],
])('%s=%s is refused by name', (name, value, allowed) => {
  expect(() => readConfig({ [name]: value })).toThrow(`${name} is ${JSON.stringify(value)}; it must be`);
  expect(() => readConfig({ [name]: value })).toThrow(allowed);
});

test.each([
  'a',
  'a=',
  '=1',
  'a=0',
  'a=01',
  'a=-1',
  'a=1.5',
  'a=1e6',
  'a=1000000000000000',
  'a=1,',
  ',a=1',
  'a=1,,b=2',
  'a =1',
  'a=1, b=2',
  'a=1=2',
  'a=1,b=2,a=3',
])('RATES=%s is refused by name', (value) =>
  expect(() => readConfig({ RATES: value })).toThrow(`RATES is ${JSON.stringify(value)}; it must be workloads, each once, with whole numbers from 1`),
);

test.each(['short', `${'a'.repeat(32)},`, `${'a'.repeat(32)},${'b'.repeat(31)}`, `${'a'.repeat(16)} ${'a'.repeat(16)}`, 'a'.repeat(201)])(
  'TRUSTED_KEYS=%s is refused without being repeated',
  (value) => {
    const refused = () => readConfig({ TRUSTED_KEYS: value });
    expect(refused).toThrow('TRUSTED_KEYS is not well-formed; it must be at most 16 keys of 32 to 200 characters');
    expect(refused).not.toThrow(value);
  },
);

test.each(['mysql://me:secret@db', 'postgres://', 'postgres://me:secret@db.example:port/x', 'me:secret'])(
  'DATABASE_URL=%s is refused without being repeated',
  (value) => {
    const refused = () => readConfig({ DATABASE_URL: value });
    expect(refused).toThrow('DATABASE_URL is not well-formed; it must be a PostgreSQL database');
    expect(refused).not.toThrow('secret');
  },
);
test('an S3 store is set up whole or not at all, and its secret is repeated nowhere', () => {
  const whole = { S3_ENDPOINT: 'https://s3.example', S3_BUCKET: 'abc', S3_REGION: 'r', S3_ACCESS_KEY_ID: 'k', S3_SECRET_ACCESS_KEY: 's' };
  expect(readConfig(whole).s3).toMatchObject({ endpoint: 'https://s3.example', publicEndpoint: null });
  for (const name of Object.keys(whole)) expect(() => readConfig({ ...whole, [name]: '' })).toThrow(`${name} is not set, but other settings of S3 are`);
  expect(() => readConfig({ S3_PUBLIC_ENDPOINT: 'https://s3.example' })).toThrow('S3_SECRET_ACCESS_KEY is not set');
  const refused = () => readConfig({ ...whole, S3_SECRET_ACCESS_KEY: 'with space' });
  expect(refused).toThrow('S3_SECRET_ACCESS_KEY is not well-formed');
  expect(refused).not.toThrow('with space');
});

test('all wrong variables are named at once, and the process ends with 2', () => {
  const script = `import { readConfig, readOrExit } from ${JSON.stringify(join(import.meta.dirname, 'config.ts'))}; await readOrExit(() => readConfig(process.env)); console.log('went on');`;
  const ended = spawnSync(execPath, ['--input-type=module', '-e', script], { env: { PORT: 'x', GALLERY: 'maybe' }, encoding: 'utf8' });
  expect(ended.status).toBe(2);
  expect(ended.stdout).toBe('');
  expect(ended.stderr.trim().split('\n')).toEqual([
    'PORT is "x"; it must be a port from 0 to 65535; 0 lets the system choose.',
    'GALLERY is "maybe"; it must be on or off.',
  ]);
});
