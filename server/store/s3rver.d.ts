/** The S3 server of tests, which has no types. It refuses wrong signatures and ignores checksums. */
declare module '@20minutes/s3rver' {
  import type { AddressInfo } from 'node:net';

  export default class S3rver {
    constructor(options: { address: string; port: number; silent: boolean; directory: string; configureBuckets: readonly { name: string }[] });
    run(): Promise<AddressInfo>;
    close(): Promise<void>;
  }
}
