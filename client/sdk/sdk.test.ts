import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Filler, startFiller } from '../bench/filler.ts';
import { type Process, startServer } from '../bench/process.ts';
import { type JobEvent, Tessera, TesseraError } from './index.ts';

/** The client against a real coordinator in a process of its own, whose results come from a contributor that is believed. */

const trusted = randomBytes(24).toString('base64url');
let server: Process;
let filler: Filler;
let tessera: Tessera;

beforeAll(async () => {
  server = await startServer({ TRUSTED_KEYS: trusted });
  filler = await startFiller(server.url, trusted, 5);
  tessera = new Tessera({ server: server.url });
  await tessera.session();
}, 60_000);
afterAll(async () => {
  await filler.stop();
  await server.close();
});

/** The smallest order of the first workload that needs no file. */
async function order(title: string) {
  const [workload] = await tessera.workloads();
  if (!workload) throw new Error('nothing can be ordered');
  const subject = workload.fields.find(({ kind }) => kind === 'choice');
  const builtIn = subject?.kind === 'choice' ? subject.options.at(-1)?.value : undefined;
  const params = { ...workload.defaults, ...(subject && { [subject.name]: builtIn }), width: 32, height: 32, samples: 1, bounces: 1 };
  return { workload: workload.id, params, files: {}, title, visibility: 'unlisted' as const };
}

test('a job from its quote to its file', { timeout: 60_000 }, async () => {
  const { title, visibility, ...asked } = await order('From a program');
  const quote = await tessera.quote(asked);
  const job = await tessera.submit({ ...asked, title, visibility, quote: quote.id });
  expect(job).toMatchObject({ title, status: 'open', mine: true, heldMicroCredits: quote.holdMicroCredits });
  const seen: JobEvent[] = [];
  for await (const event of tessera.events(job.id)) seen.push(event);
  expect(seen[0]).toMatchObject({ type: 'job', job: { id: job.id } });
  expect(seen.at(-1)).toMatchObject({ type: 'end', job: { status: 'done' } });
  expect(await tessera.wait(job.id)).toMatchObject({ status: 'done' });
  const results = await tessera.results(job.id);
  const told = new Set(seen.flatMap((event) => (event.type === 'tile' ? [event.result.id] : [])));
  expect([...told].sort()).toEqual(results.rows.map(({ id }) => id).sort());
  const [file] = await tessera.files(job.id);
  const bytes = new Uint8Array(await new Response(await tessera.download(job.id, file!.output)).arrayBuffer());
  expect(bytes.subarray(1, 4)).toEqual(new TextEncoder().encode('PNG'));
  expect((await tessera.jobs()).rows.map(({ id }) => id)).toContain(job.id);
  expect(await tessera.receipt(job.id)).toMatchObject({ version: 1, job: job.id });
});

test('an order whose answer was lost is placed once', { timeout: 60_000 }, async () => {
  let losses = 0;
  const forgetful = new Tessera({
    server: server.url,
    fetch: async (...request) => {
      const answer = await fetch(...request);
      if (String(request[0]).endsWith('/api/jobs') && losses++ < 2) throw new TypeError('the answer was lost');
      return answer;
    },
  });
  await forgetful.session();
  const job = await forgetful.submit(await order('Once'));
  expect(losses).toBe(3);
  expect((await forgetful.jobs()).rows.map(({ id, title }) => [id, title])).toEqual([[job.id, 'Once']]);
  await forgetful.cancel(job.id).catch(() => undefined);
});

test('refusals name the field and the limit; what is not there is said at once', async () => {
  const asked = await order('Wrong');
  const refusal = await tessera.quote({ ...asked, params: { ...asked.params, width: 1 } } as never).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(TesseraError);
  const { title: _, visibility: __, ...plain } = asked;
  await expect(tessera.quote({ ...plain, params: { ...plain.params, width: 1 } })).rejects.toMatchObject({
    code: 'bad_input',
    status: 422,
    field: 'params.width',
    limit: '16 to 8192',
  });
  await expect(tessera.job('j_0123456789abcdef' as never)).rejects.toMatchObject({ code: 'not_found', status: 404 });
  const none = new Tessera({ server: server.url, triesMax: 1 });
  await expect(none.account()).rejects.toMatchObject({ code: 'signed_out' });
  await expect(new Tessera({ server: 'http://localhost:1', triesMax: 2 }).workloads()).rejects.toMatchObject({ code: 'offline' });
});

/** A network whose connection breaks once so many bytes have passed, twice. */
async function breaking(target: number, afterBytes: number): Promise<{ server: Server; port: number; breaks: () => number }> {
  let [passed, breaks] = [0, 0];
  const relay = createServer((from) => {
    const to = connect(target, '127.0.0.1');
    for (const socket of [from, to]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        from.destroy();
        to.destroy();
      });
    }
    to.pipe(from);
    from.on('data', (chunk) => {
      passed += chunk.byteLength;
      if (passed > afterBytes && breaks < 2) {
        [passed, breaks] = [0, breaks + 1];
        from.destroy();
      } else to.write(chunk);
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  return { server: relay, port: typeof address === 'object' && address ? address.port : 0, breaks: () => breaks };
}

test('an upload goes on after its connection broke, and is the same file', { timeout: 60_000 }, async () => {
  const bytes = randomBytes(6_000_000);
  const network = await breaking(Number(new URL(server.url).port), 1_500_000);
  try {
    const far = new Tessera({ server: `http://localhost:${network.port}` });
    await far.session();
    const shares: number[] = [];
    const stalls: (string | undefined)[] = [];
    const done = await far.upload(new Blob([bytes]), { progress: (sent) => shares.push(sent), stalled: (why) => stalls.push(why?.code) });
    expect(done).toEqual({ hash: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.byteLength });
    expect(network.breaks()).toBe(2);
    expect(stalls.filter((code) => code === 'offline').length).toBeGreaterThanOrEqual(2);
    expect(stalls.at(-1)).toBeUndefined();
    expect(shares.at(-1)).toBe(bytes.byteLength);
  } finally {
    network.server.close();
  }
});

test('an upload that is given up is deleted, and one that broke off is gone on with', { timeout: 60_000 }, async () => {
  const bytes = randomBytes(3_000_000);
  const stop = new AbortController();
  let address = '';
  const sending = tessera.upload(new Blob([bytes]), {
    begun: (at) => (address = at),
    progress: (sent) => sent > 0 && stop.abort(new Error('enough')),
    signal: stop.signal,
  });
  await expect(sending).rejects.toThrow('enough');
  const head = { method: 'HEAD', headers: { 'tus-resumable': '1.0.0', cookie: tessera.cookie! } };
  await expect.poll(async () => (await fetch(address, head)).status).toBe(404);

  const created = await fetch(`${server.url}/api/uploads`, {
    method: 'POST',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '3000000', cookie: tessera.cookie! },
  });
  const resume = new URL(created.headers.get('location')!, server.url).href;
  await fetch(resume, {
    method: 'PATCH',
    headers: { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream', cookie: tessera.cookie! },
    body: bytes.subarray(0, 1_000_000),
  });
  const shares: number[] = [];
  const done = await tessera.upload(new Blob([bytes]), { resume, progress: (sent) => shares.push(sent) });
  expect([shares[0], done.hash]).toEqual([1_000_000, createHash('sha256').update(bytes).digest('hex')]);
});
