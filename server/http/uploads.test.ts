import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Upload as Tus } from 'tus-js-client';
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

const tus = { 'tus-resumable': '1.0.0' };
const offsetType = { 'content-type': 'application/offset+octet-stream' };

async function begun(visitor: Visitor, length: number, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, headers } = await visitor.ask('POST', '/api/uploads', undefined, { ...tus, 'upload-length': String(length), ...more });
  expect(status).toBe(201);
  return headers.location!;
}

test('tus: an upload is begun, sent in two pieces, asked about and taken back', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const bytes = Buffer.from('a scene in two pieces');
    const place = await begun(ada, bytes.length, { 'upload-metadata': 'filename eC5nbGI=' });
    const first = await ada.ask('PATCH' as never, place, bytes.subarray(0, 7), { ...tus, ...offsetType, 'upload-offset': '0' });
    expect([first.status, first.headers['upload-offset'], first.headers['tus-resumable']]).toEqual([204, '7', '1.0.0']);
    const state = await ada.ask('HEAD', place, undefined, tus);
    expect([state.status, state.headers['upload-offset'], state.headers['upload-length'], state.headers['cache-control']]).toEqual([
      200,
      '7',
      '21',
      'no-store',
    ]);
    expect(Date.parse(state.headers['upload-expires']!)).toBe(test.now.ms + 24 * 3_600_000);
    const last = await ada.ask('PATCH' as never, place, bytes.subarray(7), { ...tus, ...offsetType, 'upload-offset': '7' });
    expect([last.status, last.headers['upload-hash']]).toEqual([204, createHash('sha256').update(bytes).digest('hex')]);
    expect(await test.blobs.get(last.headers['upload-hash'] as BlobHash)).toEqual(new Uint8Array(bytes));
    expect((await ada.ask('DELETE', place, undefined, tus)).status).toBe(204);
    expect((await ada.ask('HEAD', place, undefined, tus)).status).toBe(404);
  }));

test('tus: refusals have the protocol’s status and name the header', () =>
  withApp(async (test) => {
    const [ada, bob] = [new Visitor(test), new Visitor(test)];
    await ada.start();
    await bob.start();
    const place = await begun(ada, 10);
    const patch = (visitor: Visitor, headers: Readonly<Record<string, string>>, bytes = Buffer.from('12345')) =>
      visitor.ask('PATCH' as never, place, bytes, { ...tus, ...offsetType, 'upload-offset': '0', ...headers });
    const told = async (reply: ReturnType<typeof patch>) => {
      const { status, body } = await reply;
      return [status, body.code, body.field];
    };
    expect(await told(patch(ada, { 'tus-resumable': '0.2.2' }))).toEqual([412, 'bad_input', 'Tus-Resumable']);
    expect(await told(patch(ada, { 'content-type': 'application/octet-stream' }))).toEqual([415, 'bad_input', 'Content-Type']);
    expect(await told(patch(ada, { 'upload-offset': '-1' }))).toEqual([400, 'bad_input', 'Upload-Offset']);
    expect(await told(patch(ada, { 'upload-offset': '3' }))).toEqual([409, 'conflict', 'Upload-Offset']);
    expect(await told(patch(ada, { 'upload-checksum': 'md5 xxxx' }))).toEqual([400, 'bad_input', 'Upload-Checksum']);
    expect(await told(patch(ada, { 'upload-checksum': `sha256 ${Buffer.alloc(32).toString('base64')}` }))).toEqual([460, 'bad_input', 'Upload-Checksum']);
    expect(await told(patch(ada, {}, Buffer.alloc(11)))).toEqual([413, 'too_large', 'Upload-Length']);
    expect(await told(patch(bob, {}))).toEqual([404, 'not_found', undefined]);
    expect((await bob.ask('DELETE', place, undefined, tus)).status).toBe(404);
    const begin = (headers: Readonly<Record<string, string>>) => ada.ask('POST', '/api/uploads', undefined, { ...tus, ...headers });
    expect(await told(begin({}))).toEqual([400, 'bad_input', 'Upload-Length']);
    expect((await begin({ 'upload-length': String(limits.uploadBytesMax + 1) })).status).toBe(413);
    expect(await told(begin({ 'upload-length': '5', 'upload-metadata': 'hash bm90IGEgaGFzaA==' }))).toEqual([400, 'bad_input', 'Upload-Metadata']);
    expect((await new Visitor(test).ask('POST', '/api/uploads', undefined, { ...tus, 'upload-length': '5' })).status).toBe(401);
  }));

test('tus: a file that lies about its hash is refused at its end, and is nowhere', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const lie = Buffer.from('0'.repeat(64)).toString('base64');
    const place = await begun(ada, 5, { 'upload-metadata': `filename eC5nbGI=,hash ${lie}` });
    const refused = await ada.ask('PATCH' as never, place, Buffer.from('12345'), { ...tus, ...offsetType, 'upload-offset': '0' });
    expect([refused.status, refused.body.field]).toEqual([422, 'hash']);
    expect((await ada.ask('HEAD', place, undefined, tus)).status).toBe(404);
  }));

test('tus: a creation whose bytes are refused leaves nothing, and one that is whole is a file', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const begin = (bytes: Buffer, more: Readonly<Record<string, string>> = {}) =>
      ada.ask('POST', '/api/uploads', bytes, { ...tus, ...offsetType, 'upload-length': '5', ...more });
    for (let round = 0; round < limits.unfinishedUploadsPerOwnerMax + 1; round++) expect((await begin(Buffer.alloc(6))).status).toBe(413);
    const whole = await begin(Buffer.from('12345'));
    expect([whole.status, whole.headers['upload-hash']]).toEqual([201, createHash('sha256').update('12345').digest('hex')]);
    const empty = await ada.ask('POST', '/api/uploads', undefined, { ...tus, 'upload-length': '0' });
    expect([empty.status, empty.headers['upload-hash']]).toEqual([201, createHash('sha256').digest('hex')]);
  }));

test('tus: the client of the protocol’s authors goes on after its connection was cut', () =>
  withApp(async (test) => {
    const origin = await test.app.listen({ port: 0, host: '127.0.0.1' });
    const session = await fetch(`${origin}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    const cookie = session.headers.getSetCookie()[0]!.split(';')[0]!;
    // Closes the connection of the second piece after a part of it, once.
    let cuts = 0;
    test.app.server.on('request', (message) => {
      if (message.method !== 'PATCH' || message.headers['upload-offset'] !== '300000' || cuts > 0) return;
      cuts++;
      message.once('data', () => message.socket.destroy());
    });
    const bytes = Buffer.from(Array.from({ length: 900_000 }, (_, index) => (index * 7) % 251));
    const offsets: number[] = [];
    const hash = await new Promise<string | undefined>((resolve, reject) => {
      const sending = new Tus(bytes, {
        endpoint: `${origin}/api/uploads`,
        headers: { cookie },
        chunkSize: 300_000,
        retryDelays: [50, 100, 200],
        onChunkComplete: (_size, accepted) => offsets.push(accepted),
        onError: reject,
        onSuccess: ({ lastResponse }) => resolve(lastResponse.getHeader('upload-hash')),
      });
      sending.start();
    });
    expect([cuts, hash]).toEqual([1, createHash('sha256').update(bytes).digest('hex')]);
    expect(offsets.at(-1)).toBe(900_000);
    expect(await test.blobs.get(hash as BlobHash)).toEqual(new Uint8Array(bytes));
  }));
