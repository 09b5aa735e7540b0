import { Load } from './load.ts';

/** Of a coordinator in the process of its test, where contributors compute as well: how late its event loop is tells nothing. */
export class PatientLoad extends Load {
  override start(): void {}
}
