import { createSolanaRpc } from '@solana/kit';
import { ConfigError, readOrExit } from '../config.ts';
import { readSettleConfig, type SettleConfig } from './config.ts';
import { Settler } from './settler.ts';

/* `npm run settle`: pays withdrawals out and reports deposits. One such process, beside or far from the coordinator; see README.md here. */

/** The first blocks of the public networks: a node of another one would take real orders for play, or the other way round. */
const genesis: Readonly<Record<string, string>> = {
  'solana:mainnet': '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d',
  'solana:devnet': 'EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG',
  'solana:testnet': '4uhcVJyU9pJkvQyS88uRDiswHXSGkfdqXh8FmPnS7VXY',
};

async function refuseOtherChain({ rpcUrl, chain }: SettleConfig): Promise<void> {
  const hash = await createSolanaRpc(rpcUrl).getGenesisHash().send();
  const isPublic = Object.values(genesis).includes(hash);
  if (genesis[chain] === undefined ? isPublic : genesis[chain] !== hash)
    throw new ConfigError(`SOLANA_CHAIN is ${chain}, and the node at SOLANA_RPC is of another chain (genesis ${hash}).`);
}

const log = (fields: object, message: string): void => console.log(JSON.stringify({ time: new Date().toISOString(), message, ...fields }));

const config = await readOrExit(async () => {
  const read = readSettleConfig(process.env);
  await refuseOtherChain(read);
  return read;
});
const settler = await Settler.start({ ...config, log });
log({ chain: config.chain, mint: config.mint, treasury: config.treasury }, 'paying out');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void settler.close().then(() => process.exit(0)));
