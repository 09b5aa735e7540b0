import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { type Config, readConfig } from '../config.ts';
import { temporaryFolder } from './testing.ts';

const BUCKET = 'tessera-test';

/** What becomes of connections to the store: served, refused, left without an answer, or cut off behind some bytes of theirs or ours. */
export type Weather = 'fine' | 'refused' | 'silent' | { readonly upBytes: number } | { readonly downBytes: number };

export interface TestS3 {
  readonly config: NonNullable<Config['s3']>;
  /** Settings for a coordinator. */
  readonly env: Readonly<Record<string, string>>;
  /** Of connections from now on; those that stand are closed. `times`: how many of them, then it is fine again. */
  weather(weather: Weather, times?: number): void;
  /** That were made so far. */
  readonly connections: number;
  /** The file in which the server keeps an object. */
  fileOf(key: string): string;
  close(): Promise<void>;
}

/** An S3 server with one bucket, behind a line that can be cut. */
export async function startS3(own: Readonly<Record<string, string>> = {}): Promise<TestS3> {
  const folder = temporaryFolder();
  mkdirSync(folder.path, { recursive: true });
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: folder.path, configureBuckets: [{ name: BUCKET }] });
  const { port } = await server.run();
  let weather: Weather = 'fine';
  let connections = 0;
  let times = Number.POSITIVE_INFINITY;
  const sockets = new Set<Socket>();
  const line = createServer({ noDelay: true }, (from) => {
    connections++;
    const now = times-- > 0 ? weather : 'fine';
    sockets.add(from);
    from.on('close', () => sockets.delete(from)).on('error', () => undefined);
    if (now === 'refused') from.destroy();
    if (now === 'refused' || now === 'silent') return;
    const to = connect({ port, host: '127.0.0.1', noDelay: true });
    const end = (): void => {
      from.destroy();
      to.destroy();
    };
    const most = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
    if (now !== 'fine') Object.assign(most, 'upBytes' in now ? { up: now.upBytes } : { down: now.downBytes });
    const pass = (source: Socket, sink: Socket, way: 'up' | 'down') =>
      source
        .on('data', (bytes) => {
          sink.write(bytes.subarray(0, Math.max(0, most[way])));
          most[way] -= bytes.byteLength;
          if (most[way] < 0) setImmediate(end);
        })
        .on('error', end)
        .on('close', end);
    pass(from, to, 'up');
    pass(to, from, 'down');
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  const env = {
    S3_ENDPOINT: `http://127.0.0.1:${(line.address() as AddressInfo).port}`,
    S3_BUCKET: BUCKET,
    S3_REGION: 'eu-central-1',
    S3_ACCESS_KEY_ID: 'S3RVER',
    S3_SECRET_ACCESS_KEY: 'S3RVER',
    ...own,
  };
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    config: readConfig(env).s3!,
    env,
    weather(next, most = Number.POSITIVE_INFINITY) {
      [weather, times] = [next, most];
      cut();
    },
    get connections() {
      return connections;
    },
    fileOf: (key) => join(folder.path, BUCKET, `${key}._S3rver_object`),
    async close() {
      cut();
      await new Promise((resolve) => line.close(resolve));
      await server.close();
      folder.remove();
    },
  };
}
