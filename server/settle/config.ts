import { readFileSync, statSync } from 'node:fs';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { ConfigError } from '../config.ts';

/** Every environment variable that the settle process reads, and what a wrong value is answered with. */
const variables = {
  COORDINATOR_URL: ['^https?://[^\\s/]{1,255}$', 'the address of the coordinator, such as http://127.0.0.1:8080'],
  PUBLIC_ORIGIN: ['^https?://[^\\s/]{1,255}$', 'the coordinator’s address as browsers have it: wallets sign it'],
  SETTLE_TOKEN: ['^[\\x21-\\x7e]{32,200}$', '32 to 200 characters without spaces, the same as the coordinator has'],
  SOLANA_RPC: ['^https?://\\S{1,500}$', 'the address of a node’s JSON-RPC'],
  SOLANA_CHAIN: ['^solana:(mainnet|devnet|testnet|localnet)$', 'solana:mainnet, solana:devnet, solana:testnet or solana:localnet'],
  SOLANA_MINT: ['^[1-9A-HJ-NP-Za-km-z]{32,44}$', 'the address of the token’s mint'],
  SOLANA_TREASURY: ['^[1-9A-HJ-NP-Za-km-z]{32,44}$', 'the wallet that receives deposits, whose key is not on this machine'],
  SETTLE_KEY_FILE: ['^.+$', 'the file of the hot wallet’s key as solana-keygen writes it, readable by its owner alone'],
  SETTLE_DAY_TOKENS: ['^[1-9][0-9]{0,18}$', 'base units of the token that may leave within 24 hours, at most 2^63'],
  SETTLE_DIR: ['^.+$', 'a folder of its own, kept like the money itself'],
} as const;
type Name = keyof typeof variables;

export interface SettleConfig {
  readonly coordinatorUrl: string;
  /** Scheme, host and port that browsers see. */
  readonly origin: string;
  readonly token: string;
  readonly rpcUrl: string;
  readonly chain: string;
  readonly mint: string;
  readonly treasury: string;
  readonly hotKey: Uint8Array;
  readonly dayTokensMax: bigint;
  readonly dir: string;
  /** The journal comes from a copy: wait until nothing that it does not know can land. */
  readonly restored: boolean;
  readonly roundMs: number;
}

const keyFile = Type.Array(Type.Integer({ minimum: 0, maximum: 255 }), { minItems: 64, maxItems: 64 });
/** Group and others. */
const SHARED_MODE = 0o077;

function readKey(path: string): Uint8Array {
  const refuse = (why: string): ConfigError => new ConfigError(`SETTLE_KEY_FILE is ${JSON.stringify(path)}, ${why}.`);
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & SHARED_MODE) !== 0) throw refuse('which others may read; chmod 600 it');
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Value.Check(keyFile, content)) throw refuse('which is no list of 64 bytes');
    return Uint8Array.from(content);
  } catch (error) {
    // What a parser says of a key would quote it.
    throw error instanceof ConfigError ? error : refuse('which cannot be read');
  }
}

/** Between two looks at everything. */
const ROUND_MS = 2000;
const roundText = /^[1-9][0-9]{1,4}$/;

/** Throws `ConfigError` naming every variable that is wrong or missing: what is about money has no default. */
export function readSettleConfig(env: Readonly<Record<string, string | undefined>>): SettleConfig {
  const names = Object.keys(variables) as Name[];
  const wrong = names.filter((name) => !new RegExp(variables[name][0]).test(env[name] ?? ''));
  if (wrong.length > 0)
    throw new ConfigError(wrong.map((name) => `${name} ${env[name] ? 'is not well-formed' : 'is not set'}; it must be ${variables[name][1]}.`).join('\n'));
  const round = env.SETTLE_ROUND_MS;
  if (round && !roundText.test(round)) throw new ConfigError('SETTLE_ROUND_MS is not well-formed; it must be a whole number from 10 to 99999.');
  const of = (name: Name): string => env[name] ?? '';
  return {
    coordinatorUrl: of('COORDINATOR_URL'),
    origin: of('PUBLIC_ORIGIN'),
    token: of('SETTLE_TOKEN'),
    rpcUrl: of('SOLANA_RPC'),
    chain: of('SOLANA_CHAIN'),
    mint: of('SOLANA_MINT'),
    treasury: of('SOLANA_TREASURY'),
    hotKey: readKey(of('SETTLE_KEY_FILE')),
    dayTokensMax: BigInt(of('SETTLE_DAY_TOKENS')),
    dir: of('SETTLE_DIR'),
    restored: env.SETTLE_RESTORED === 'on',
    roundMs: round ? Number(round) : ROUND_MS,
  };
}
