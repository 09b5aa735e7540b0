import { type EngineError, Refused } from './api.ts';
import { GpuError } from './device.ts';

/** How an engine ends, and what its host is told. */
export interface Ending {
  readonly stage: 'stopped' | 'failed';
  readonly error: EngineError | null;
  readonly reason: string | null;
  /** The coordinator still listens: what is finished is delivered, and the rest given back. */
  readonly isPolite: boolean;
}

/** Null: the host asked for it. */
export const stoppedBecause = (reason: string | null, isPolite: boolean): Ending => ({ stage: 'stopped', error: null, reason, isPolite });

const failed = (kind: EngineError['kind'], message: string, isPolite: boolean): Ending => ({
  stage: 'failed',
  error: { kind, message },
  reason: null,
  isPolite,
});

/** What makes going on impossible -> the way to end. */
export function endingOf(error: unknown): Ending {
  if (error instanceof GpuError) return failed('gpu', error.message, true);
  if (!(error instanceof Refused)) return failed('internal', error instanceof Error ? error.message : String(error), true);
  if (error.field === 'consent') return stoppedBecause(error.message, false);
  if (error.code === 'stale') return failed('stale', 'This page is older than the coordinator. Reload it.', false);
  return failed(error.code === 'forbidden' ? 'suspended' : 'internal', error.message, false);
}
