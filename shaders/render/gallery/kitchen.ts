import { Model } from './model.ts';
export async function kitchen(): Promise<Uint8Array> { return new Model().write(); }
