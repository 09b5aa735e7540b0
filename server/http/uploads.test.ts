import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { limits, MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { type Reply, type TestApp, Visitor, withApp } from './testing.ts';

const octets = { 'content-type': 'application/octet-stream' };

const upload = (
  visitor: Visitor,
  bytes: Buffer,
  headers: Readonly<Record<string, string | undefined>> = octets,
): Promise<Reply<{ hash: BlobHash; bytes: number }>> => visitor.ask('POST', '/api/uploads', bytes, headers);

test('bytes are stored under their hash', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
    const { status, body } = await upload(ada, bytes);
    expect(status).toBe(200);
    expect(body).toEqual({ hash: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length });
    expect(await test.blobs.get(body.hash)).toEqual(new Uint8Array(bytes));
    expect((await upload(ada, bytes)).body).toEqual(body);
    expect((await upload(ada, Buffer.alloc(0))).body.bytes).toBe(0);
  }));

test('without a session, or as anything but bytes, nothing is stored', () =>
  withApp(async (test) => {
    const bytes = Buffer.from('scene');
    expect((await upload(new Visitor(test), bytes)).status).toBe(401);
    const ada = new Visitor(test);
    await ada.start();
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', undefined]) {
      const refused = await upload(ada, bytes, { 'content-type': type });
      expect([400, 415], String(type)).toContain(refused.status);
    }
    expect(await test.blobs.get(createHash('sha256').update(bytes).digest('hex') as BlobHash)).toBeUndefined();
  }));

/** Streams without a length, as a browser never does and an attacker may. */
async function streamed({ app }: TestApp, visitor: Visitor, length: number): Promise<{ status: number; body: unknown }> {
  async function* pieces() {
    for (let sent = 0; sent < length; sent += MIB) yield Buffer.alloc(Math.min(MIB, length - sent));
  }
  const headers = { ...octets, host: visitor.host, cookie: visitor.cookie ?? '' };
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/api/uploads', headers, payload: Readable.from(pieces()) });
  return { status: statusCode, body: JSON.parse(body) };
}

test('the largest file passes, one byte more does not, announced or not', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    expect(await streamed(test, ada, limits.uploadBytesMax)).toMatchObject({ status: 200, body: { bytes: limits.uploadBytesMax } });
    const tooLarge = { status: 413, body: { code: 'too_large', limit: 'at most 64 MiB' } };
    expect(await streamed(test, ada, limits.uploadBytesMax + 1)).toMatchObject(tooLarge);
    const announced = await ada.ask('POST', '/api/uploads', Buffer.from('x'), { ...octets, 'content-length': String(limits.uploadBytesMax + 1) });
    expect(announced).toMatchObject(tooLarge);
  }));

test('uploads of one owner are capped by the hour', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    for (let round = 0; round < limits.uploadsPerOwnerHourMax; round++) expect((await upload(ada, Buffer.from([round]))).status).toBe(200);
    const refused = await ada.ask('POST', '/api/uploads', Buffer.from('x'), octets);
    expect([refused.status, refused.body.code, refused.body.limit]).toEqual([429, 'too_many', '100 an hour']);
    const bob = new Visitor(test);
    await bob.start();
    expect((await upload(bob, Buffer.from('x'))).status).toBe(200);
  }));
