import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { MicroCredits } from '../shared/credits.ts';
import { DAY_MS, MIB, SECOND_MS } from '../shared/limits.ts';

const RATE_PATTERN = '[A-Za-z][A-Za-z0-9-]{0,39}=[1-9][0-9]{0,14}';

const HTTP_ORIGIN_PATTERN = '^https?://([a-z0-9.-]{1,253}|\\[[0-9a-f:.]{2,45}\\])(:[0-9]{1,5})?$';

/** Every environment variable that the coordinator reads. */
const environment = Type.Object({
  HOST: Type.Optional(Type.String({ minLength: 1 })),
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080 }),
  DATA_DIR: Type.String({ minLength: 1, default: './data' }),
  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://[^\\s]+$' })),
  BLOBS_DIR: Type.Optional(Type.String({ minLength: 1 })),
  UPLOADS_DIR: Type.Optional(Type.String({ minLength: 1 })),
  S3_ENDPOINT: Type.Optional(Type.String({ pattern: HTTP_ORIGIN_PATTERN })),
  S3_BUCKET: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' })),
  S3_REGION: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9-]{1,40}$' })),
  S3_ACCESS_KEY_ID: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,200}$' })),
  S3_SECRET_ACCESS_KEY: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,400}$' })),
  S3_PUBLIC_ENDPOINT: Type.Optional(Type.String({ pattern: HTTP_ORIGIN_PATTERN })),
  BLOB_CACHE_MIB: Type.Integer({ minimum: 64, maximum: 16_777_216, default: 4096 }),
  PUBLIC_ORIGIN: Type.Optional(Type.String({ pattern: HTTP_ORIGIN_PATTERN })),
  RATE_MICRO_CREDITS_PER_UNIT: Type.String({ pattern: '^[1-9][0-9]{0,14}$', default: '1000000' }),
  RATES: Type.Optional(Type.String({ pattern: `^${RATE_PATTERN}(,${RATE_PATTERN}){0,63}$` })),
  GALLERY: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on' }),
  TRUSTED_KEYS: Type.Optional(Type.String({ pattern: '^[^,\\s]{32,200}(,[^,\\s]{32,200}){0,15}$' })),
  PRIVATE_SWARM: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'off' }),
  VESTING_SECONDS: Type.Integer({ minimum: 0, maximum: 86_400, default: 600 }),
  RETENTION_DAYS: Type.Integer({ minimum: 1, maximum: 36_500, default: 90 }),
  TRUST_PROXY: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'off' }),
  HTTPS: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'off' }),
  TLS_CERT: Type.Optional(Type.String({ minLength: 1 })),
  TLS_KEY: Type.Optional(Type.String({ minLength: 1 })),
  PAYOUTS: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'off' }),
  SETTLE_TOKEN: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{32,200}$' })),
  TOKEN_NAME: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.-]{1,16}$' })),
  PAYOUT_MINIMUM_MICRO_CREDITS: Type.String({ pattern: '^[1-9][0-9]{0,14}$', default: '5000000' }),
  PAYOUT_OPENING_MICRO_CREDITS: Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$', default: '500000' }),
  HOLDBACK_SECONDS: Type.Integer({ minimum: 0, maximum: 2_592_000, default: 3600 }),
  SCREENING: Type.Optional(Type.String({ minLength: 1 })),
  ROOM_CONTROL: Type.Optional(Type.String({ pattern: '^http://127\\.0\\.0\\.1:[0-9]{1,5}/[A-Za-z0-9_-]{32,200}$' })),
  METRICS_TOKEN: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{32,200}$' })),
  LOG_LEVEL: Type.Union(
    [
      Type.Literal('trace'),
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('fatal'),
      Type.Literal('silent'),
    ],
    { default: 'info' },
  ),
});

/** What a wrong value is answered with. */
const allowed: Readonly<Record<keyof Environment, string>> = {
  HOST: 'an address to listen on, such as 127.0.0.1 (this machine only) or 0.0.0.0',
  PORT: 'a port from 0 to 65535; 0 lets the system choose',
  DATA_DIR: 'a folder',
  DATABASE_URL: 'a PostgreSQL database, such as postgres://user:password@host:5432/database?sslmode=verify-full',
  BLOBS_DIR: 'a folder; several coordinators of one database may share it',
  UPLOADS_DIR: 'a folder; all coordinators of one database must share it',
  S3_ENDPOINT: 'the address of an S3-compatible store without a path, such as https://s3.eu-central-1.amazonaws.com',
  S3_BUCKET: 'the name of a bucket that exists, 3 to 63 lower-case letters, digits, points and dashes',
  S3_REGION: 'the region that the store expects in signatures, such as eu-central-1',
  S3_ACCESS_KEY_ID: 'the name of a key that may read, write, delete and list in the bucket',
  S3_SECRET_ACCESS_KEY: 'the secret of that key',
  S3_PUBLIC_ENDPOINT: 'the address under which browsers reach the store of S3_ENDPOINT, without a path',
  BLOB_CACHE_MIB: 'a whole number from 64 to 16777216: mebibytes of disk for blobs of the S3 store that are in use here',
  PUBLIC_ORIGIN: 'the address that people type, in lower case, without a path and without a default port, such as https://tessera.example',
  RATE_MICRO_CREDITS_PER_UNIT: 'a whole number from 1 to 999999999999999',
  RATES: 'workloads, each once, with whole numbers from 1 to 999999999999999, such as WORKLOAD=1000000,OTHER=2000000',
  GALLERY: 'on or off',
  TRUSTED_KEYS: 'at most 16 keys of 32 to 200 characters each, without spaces, with commas between them',
  PRIVATE_SWARM: 'on or off; on only where everybody who contributes knows everybody else',
  VESTING_SECONDS: 'a whole number from 0 to 86400: how long a newcomer’s pay can be voided',
  RETENTION_DAYS: 'a whole number from 1 to 36500: how long the bytes of a job that has ended are kept',
  TRUST_PROXY: 'on or off; on only behind a proxy of your own',
  HTTPS: 'on or off; on makes a certificate of its own where TLS_CERT and TLS_KEY name none',
  TLS_CERT: 'a certificate file in PEM, with TLS_KEY beside it',
  TLS_KEY: 'the file of the certificate’s key in PEM, with TLS_CERT beside it',
  PAYOUTS: 'on or off; on only with SETTLE_TOKEN, TOKEN_NAME and SCREENING set, and a settle process running',
  SETTLE_TOKEN: '32 to 200 characters without spaces, the same as the settle process has',
  TOKEN_NAME: 'the name of the token that is paid out, 1 to 16 letters, digits, points and dashes, such as USDC',
  PAYOUT_MINIMUM_MICRO_CREDITS: 'a whole number from 1 to 999999999999999, more than PAYOUT_OPENING_MICRO_CREDITS',
  PAYOUT_OPENING_MICRO_CREDITS: 'a whole number from 0 to 999999999999999: what is kept for opening a wallet’s account of the token',
  HOLDBACK_SECONDS: 'a whole number from 0 to 2592000: how long credits that are money wait before they vest',
  SCREENING: 'a file that exports the function screen, see server/screening.ts',
  ROOM_CONTROL: 'set by npm run room for the coordinator that it starts, and by nobody else',
  METRICS_TOKEN: '32 to 200 characters without spaces: whoever shows it reads /metrics from elsewhere',
  LOG_LEVEL: 'trace, debug, info, warn, error, fatal or silent',
};
type Environment = Static<typeof environment>;

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** The PostgreSQL database that coordinators share; null: SQLite in `dataDir`, for one coordinator. */
  readonly databaseUrl: string | null;
  /** Finished blobs, where no S3 store has them. */
  readonly blobsDir: string;
  /** Uploads that go on where they were. */
  readonly uploadsDir: string;
  /** Where blobs lie. Null: in `blobsDir`. */
  readonly s3: S3Config | null;
  /** Scheme, host and port that browsers see; null: the coordinator is used as localhost or under a bare address. */
  readonly publicOrigin: string | null;
  /** What a work unit costs where `rates` does not say. */
  readonly ratePerUnit: MicroCredits;
  /** By workload; whether there is such a one, the price book finds out. */
  readonly rates: ReadonlyMap<string, MicroCredits>;
  readonly gallery: boolean;
  /** Who shows one of these is the operator's own contributor, and believed. Empty: nobody is. */
  readonly trustedKeys: readonly string[];
  /** Contributors behind one address may check each other. */
  readonly privateSwarm: boolean;
  /** How long a newcomer's pay can be voided. */
  readonly vestingMsMax: number;
  /** How long results, files and inputs of a job that has ended are kept. */
  readonly retentionMs: number;
  /** Believe a proxy's X-Forwarded-* headers. */
  readonly trustProxy: boolean;
  /** Listens with TLS: with a certificate that it makes and keeps itself, or with the operator's. Null: plain http. */
  readonly tls: 'own' | { readonly certPath: string; readonly keyPath: string } | null;
  /** Whether credits are money here. Null: they are not. */
  readonly payouts: {
    /** Whoever shows it is the settle process. */
    readonly settleToken: string;
    readonly tokenName: string;
    readonly minimum: MicroCredits;
    /** Kept where a wallet's account of the token has to be opened. */
    readonly opening: MicroCredits;
    /** Pay in credits vests no earlier. */
    readonly holdbackMs: number;
    readonly screeningPath: string;
  } | null;
  /** Where the process listens that runs the room this is the coordinator of; null: it is of none. */
  readonly roomControl: string | null;
  /** Opens `/metrics` to who shows it, from wherever. Null: to this machine alone. */
  readonly metricsToken: string | null;
  readonly logLevel: Environment['LOG_LEVEL'];
}

export interface S3Config {
  readonly endpoint: string;
  /** Where browsers fetch blobs themselves; null: through the coordinator. */
  readonly publicEndpoint: string | null;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of local copies. */
  readonly cacheBytesMax: number;
}

/** Names the variable, what it is, and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const schemas = environment.properties;
const integers: ReadonlySet<string> = new Set(['PORT', 'BLOB_CACHE_MIB', 'VESTING_SECONDS', 'RETENTION_DAYS', 'HOLDBACK_SECONDS']);
const names = Object.keys(schemas) as (keyof Environment)[];
/** Of the environment. */
export const settingNames: ReadonlySet<string> = new Set(names);

/** Throws `ConfigError` naming every wrong variable. An empty value counts as not set. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given: Record<string, unknown> = {};
  for (const name of names) {
    const text = env[name];
    if (text) given[name] = integers.has(name) && /^[0-9]+$/.test(text) ? Number(text) : text;
  }
  const wrong = names.filter((name) => name in given && !Value.Check(schemas[name], given[name]));
  if (wrong.length > 0) throw new ConfigError(wrong.map((name) => refusal(name, env[name])).join('\n'));
  const own: Environment = Value.Parse(environment, Value.Default(environment, given));
  const publicOrigin = own.PUBLIC_ORIGIN ?? null;
  // One spelling only: it is compared with what browsers send, which leave out the default port.
  if (publicOrigin !== null && (!URL.canParse(publicOrigin) || new URL(publicOrigin).origin !== publicOrigin))
    throw new ConfigError(refusal('PUBLIC_ORIGIN', publicOrigin));
  const tls = tlsOf(own);
  return {
    // Who asks for https wants to be reached by others.
    host: own.HOST ?? (tls === null ? '127.0.0.1' : '0.0.0.0'),
    port: own.PORT,
    dataDir: own.DATA_DIR,
    databaseUrl: databaseUrlOf(own),
    blobsDir: own.BLOBS_DIR ?? join(own.DATA_DIR, 'blobs'),
    uploadsDir: own.UPLOADS_DIR ?? join(own.DATA_DIR, 'uploads'),
    s3: s3Of(own),
    publicOrigin,
    ratePerUnit: BigInt(own.RATE_MICRO_CREDITS_PER_UNIT),
    rates: ratesOf(own),
    gallery: own.GALLERY === 'on',
    trustedKeys: own.TRUSTED_KEYS?.split(',') ?? [],
    privateSwarm: own.PRIVATE_SWARM === 'on',
    vestingMsMax: own.VESTING_SECONDS * SECOND_MS,
    retentionMs: own.RETENTION_DAYS * DAY_MS,
    trustProxy: own.TRUST_PROXY === 'on',
    tls,
    payouts: payoutsOf(own),
    roomControl: own.ROOM_CONTROL ?? null,
    metricsToken: own.METRICS_TOKEN ?? null,
    logLevel: own.LOG_LEVEL,
  };
}

function databaseUrlOf({ DATABASE_URL }: Environment): Config['databaseUrl'] {
  if (DATABASE_URL !== undefined && !URL.canParse(DATABASE_URL)) throw new ConfigError(refusal('DATABASE_URL', DATABASE_URL));
  return DATABASE_URL ?? null;
}

/** All of it or none: half a setting would quietly store files somewhere else. */
function s3Of(own: Environment): S3Config | null {
  const needed = ['S3_ENDPOINT', 'S3_BUCKET', 'S3_REGION', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;
  const missing = needed.filter((name) => own[name] === undefined);
  if (missing.length === needed.length && own.S3_PUBLIC_ENDPOINT === undefined) return null;
  if (missing.length > 0)
    throw new ConfigError(missing.map((name) => `${name} is not set, but other settings of S3 are; it must be ${allowed[name]}.`).join('\n'));
  const [endpoint = '', bucket = '', region = '', accessKeyId = '', secretAccessKey = ''] = needed.map((name) => own[name]);
  const origin = (name: 'S3_ENDPOINT' | 'S3_PUBLIC_ENDPOINT', text: string): string => {
    if (!URL.canParse(text)) throw new ConfigError(refusal(name, text));
    return new URL(text).origin;
  };
  return {
    endpoint: origin('S3_ENDPOINT', endpoint),
    publicEndpoint: own.S3_PUBLIC_ENDPOINT === undefined ? null : origin('S3_PUBLIC_ENDPOINT', own.S3_PUBLIC_ENDPOINT),
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    cacheBytesMax: own.BLOB_CACHE_MIB * MIB,
  };
}

function ratesOf({ RATES }: Environment): Config['rates'] {
  const pairs = RATES?.split(',').map((pair) => pair.split('=') as [string, string]) ?? [];
  const rates = new Map(pairs.map(([workload, rate]) => [workload, BigInt(rate)]));
  if (rates.size < pairs.length) throw new ConfigError(refusal('RATES', RATES));
  return rates;
}

function tlsOf({ HTTPS, TLS_CERT, TLS_KEY }: Environment): Config['tls'] {
  if (TLS_CERT !== undefined && TLS_KEY !== undefined) return { certPath: TLS_CERT, keyPath: TLS_KEY };
  if (TLS_CERT !== undefined || TLS_KEY !== undefined) {
    const missing = TLS_CERT === undefined ? 'TLS_CERT' : 'TLS_KEY';
    throw new ConfigError(`${missing} is not set; it must be ${allowed[missing]}.`);
  }
  return HTTPS === 'on' ? 'own' : null;
}

/** Money is an explicit choice: nothing of it has a default that pays. */
function payoutsOf(own: Environment): Config['payouts'] {
  if (own.PAYOUTS === 'off') return null;
  const given = (name: 'SETTLE_TOKEN' | 'TOKEN_NAME' | 'SCREENING'): string => {
    const value = own[name];
    if (value === undefined) throw new ConfigError(`PAYOUTS is on and ${name} is not set; it must be ${allowed[name]}.`);
    return value;
  };
  const [minimum, opening] = [BigInt(own.PAYOUT_MINIMUM_MICRO_CREDITS), BigInt(own.PAYOUT_OPENING_MICRO_CREDITS)];
  if (minimum <= opening) throw new ConfigError(refusal('PAYOUT_MINIMUM_MICRO_CREDITS', own.PAYOUT_MINIMUM_MICRO_CREDITS));
  return {
    settleToken: given('SETTLE_TOKEN'),
    tokenName: given('TOKEN_NAME'),
    minimum,
    opening,
    holdbackMs: own.HOLDBACK_SECONDS * SECOND_MS,
    screeningPath: given('SCREENING'),
  };
}

/** Their values are printed nowhere. */
const secrets: ReadonlySet<keyof Environment> = new Set([
  'DATABASE_URL',
  'TRUSTED_KEYS',
  'SETTLE_TOKEN',
  'METRICS_TOKEN',
  'ROOM_CONTROL',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
]);

const refusal = (name: keyof Environment, value: unknown): string =>
  `${name} is ${secrets.has(name) ? 'not well-formed' : JSON.stringify(value)}; it must be ${allowed[name]}.`;

const WRONG_USAGE = 2;

/** For the process: what `read` reads of the operator's settings. Prints what is wrong and exits with 2. */
export async function readOrExit<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(WRONG_USAGE);
  }
}
