import { pathToFileURL } from 'node:url';
import { ConfigError } from './config.ts';

/**
 * The operator's own look at sanctions and regions. `SCREENING` names a module that exports `screen`; it is asked before a withdrawal may be signed
 * and before a deposit becomes credits, and only `true` allows it. What the law wants where he is, no default can know.
 */
export type Screening = (about: {
  readonly purpose: 'withdrawal' | 'deposit';
  /** Base58. */
  readonly wallet: string;
  readonly microCredits: bigint;
  /** Where the request came from; null for deposits, which come from the chain. */
  readonly ip: string | null;
  /** Two letters, as the operator's proxy names it (`cf-ipcountry`, `x-country`); null where it does not. */
  readonly country: string | null;
}) => boolean | Promise<boolean>;

/** Throws `ConfigError` where there is no such function. */
export async function loadScreening(path: string): Promise<Screening> {
  const module = (await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new ConfigError(`SCREENING is ${JSON.stringify(path)}, which cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  })) as { readonly screen?: unknown };
  if (typeof module.screen !== 'function') throw new ConfigError(`SCREENING is ${JSON.stringify(path)}, which exports no function named screen.`);
  return module.screen as Screening;
}
