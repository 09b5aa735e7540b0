import { limits } from '../../shared/limits.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol.ts';
import type { Device, Hello, Preferences } from '../../shared/schemas.ts';
import type { EngineOptions } from './options.ts';

/** How an engine greets the coordinator: what it is, whose, and what it wants at present. */
export function helloOf(
  { identity, trusted, alter }: Pick<EngineOptions, 'identity' | 'trusted' | 'alter'>,
  { device, downloadBytesMax, preferences }: { readonly device: Device; readonly downloadBytesMax: number; readonly preferences: Preferences | undefined },
): Hello {
  const { id: contributor, secret } = identity.contributor;
  return {
    protocol: PROTOCOL_VERSION,
    contributor,
    secret,
    consent: identity.consent,
    device,
    downloadBytesMax,
    ...(preferences && { preferences }),
    ...(identity.browser !== undefined && { browser: identity.browser }),
    ...(trusted !== undefined && { trusted }),
    ...(alter && { drill: true }),
  };
}

/** Bytes that one job's inputs may have. Throws a `RangeError` outside `limits`. */
export function assertCap(bytes: number): number {
  const { downloadBytesMin: min, downloadBytesMax: max } = limits;
  if (!(Number.isInteger(bytes) && bytes >= min && bytes <= max)) throw new RangeError(`a download of ${bytes} bytes, ${min} to ${max} can be allowed`);
  return bytes;
}
