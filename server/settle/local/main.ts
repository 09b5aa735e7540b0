import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createKeyPairSignerFromPrivateKeyBytes, getAddressEncoder } from '@solana/kit';
import { openLocalNet } from './fixture.ts';

/*
 *   node server/settle/local/main.ts --dir DIR [--block-ms 400] [--final 32]
 *
 * A chain of its own for demonstrations and stories, with a node's JSON-RPC on 127.0.0.1: a token, a hot wallet, a treasury, and a payer with tokens who
 * stands for a customer. Keys are written to DIR as solana-keygen does. Prints one line of JSON.
 */
const PAYER_TOKENS = 1_000_000_000n;
const PAYER_LAMPORTS = 10_000_000_000n;

const { values } = parseArgs({
  options: { dir: { type: 'string' }, 'block-ms': { type: 'string', default: '400' }, final: { type: 'string', default: '32' } },
});
if (values.dir === undefined) throw new Error('Usage: node server/settle/local/main.ts --dir DIR [--block-ms 400] [--final 32]');
mkdirSync(values.dir, { recursive: true, mode: 0o700 });

const net = await openLocalNet({ blockMs: Number(values['block-ms']), finalisedBehind: Number(values.final) });
const payerKey = crypto.getRandomValues(new Uint8Array(32));
const payer = await createKeyPairSignerFromPrivateKeyBytes(payerKey);
await net.chain.airdrop(payer.address, PAYER_LAMPORTS);
await net.chain.mintTo(net.mint, payer.address, PAYER_TOKENS);

const write = (name: string, key: Uint8Array, owner: typeof payer.address): string => {
  const path = join(values.dir ?? '', name);
  writeFileSync(path, JSON.stringify([...key, ...getAddressEncoder().encode(owner)]), { mode: 0o600 });
  return path;
};
const keyFile = write('hot.json', net.hotKey, net.hot.address);
const payerFile = write('payer.json', payerKey, payer.address);
console.log(`Local chain: ${JSON.stringify({ url: net.url, mint: net.mint, treasury: net.treasury.address, keyFile, payerFile })}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void net.close().then(() => process.exit(0)));
