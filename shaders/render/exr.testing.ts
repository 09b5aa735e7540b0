import { inflateSync } from 'node:zlib';

/** A reader of the EXR files that scan lines, f32 and ZIP make, with every channel: parse-exr gives R, G, B and A alone. */
export interface ReadExr {
  readonly width: number;
  readonly height: number;
  /** In the order of the file; rows from the top. */
  readonly channels: ReadonlyMap<string, Float32Array>;
}

export function readExr(file: Uint8Array): ReadExr {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 8;
  const text = (): string => {
    const end = file.indexOf(0, at);
    const read = new TextDecoder().decode(file.subarray(at, end));
    at = end + 1;
    return read;
  };
  const names: string[] = [];
  let [width, height] = [0, 0];
  for (let name = text(); name !== ''; name = text()) {
    text();
    const end = at + 4 + view.getInt32(at, true);
    at += 4;
    if (name === 'dataWindow') [width, height] = [view.getInt32(at + 8, true) + 1, view.getInt32(at + 12, true) + 1];
    for (let channel = name === 'channels' ? text() : ''; channel !== ''; channel = text()) {
      if (view.getInt32(at, true) !== 2) throw new Error(`channel ${channel} is not f32`);
      names.push(channel);
      at += 16;
    }
    at = end;
  }
  const channels = new Map(names.map((name) => [name, new Float32Array(width * height)]));
  for (let block = 0; block < Math.ceil(height / 16); block++) {
    const start = Number(view.getBigUint64(at + block * 8, true));
    const [y, bytes] = [view.getInt32(start, true), view.getInt32(start + 4, true)];
    const lines = Math.min(16, height - y);
    const values = decompress(file.slice(start + 8, start + 8 + bytes), lines * width * names.length * 4);
    for (let line = 0; line < lines; line++)
      for (const [index, plane] of [...channels.values()].entries())
        plane.set(values.subarray((line * names.length + index) * width, (line * names.length + index + 1) * width), (y + line) * width);
  }
  return { width, height, channels };
}

function decompress(data: Uint8Array, bytes: number): Float32Array {
  if (data.byteLength === bytes) return new Float32Array(data.buffer);
  const coded = inflateSync(data);
  for (let i = 1; i < coded.length; i++) coded[i] = coded[i - 1]! + coded[i]! - 128;
  const half = Math.ceil(coded.length / 2);
  const raw = Uint8Array.from({ length: coded.length }, (_, i) => coded[(i % 2) * half + Math.floor(i / 2)]!);
  return new Float32Array(raw.buffer);
}
