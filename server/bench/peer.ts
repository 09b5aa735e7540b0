import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Job, Logger, run } from 'graphile-worker';
import { Pool } from 'pg';
import { Server } from 'socket.io';
import parser from 'socket.io-msgpack-parser';

/**
 * The peer of `coordinator.bench.ts`: graphile-worker 0.18, a queue on PostgreSQL, with its local queue and its batching of completions on, behind
 * the same Socket.IO. A job is a tile; whoever is connected asks for jobs and hands in their results, which are stored, many messages in one statement,
 * before they are acknowledged and their jobs completed. It leases nothing by speed, checks nothing and pays nobody. Argument: URL of a database. Prints
 * one line of JSON: its port.
 */
const [databaseUrl = ''] = process.argv.slice(2);
const JOBS = 1_000_000;
const CONCURRENT = 4096;

interface HandIn {
  readonly id: string;
  readonly hash: string;
  readonly inline: Uint8Array;
}
interface Offered {
  readonly id: string;
  readonly done: () => void;
}

const pool = new Pool({ connectionString: databaseUrl, max: 4 });
await pool.query(
  'create table results (job bigint primary key, contributor text not null, hash text not null, inline bytea not null, at timestamptz not null)',
);

const free: Offered[] = [];
const leased = new Map<string, Offered>();
const tile = (_payload: unknown, { job }: { readonly job: Job }): Promise<void> => new Promise((done) => void free.push({ id: String(job.id), done }));

const runner = await run({
  connectionString: databaseUrl,
  concurrency: CONCURRENT,
  maxPoolSize: 8,
  noHandleSignals: true,
  taskList: { tile },
  preset: { worker: { localQueue: { size: 2 * CONCURRENT }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  logger: new Logger(() => () => undefined),
});
// The first one makes the task known.
await pool.query("select graphile_worker.add_job('tile')");
await pool.query(
  `insert into graphile_worker._private_jobs (task_id, payload)
  select (select id from graphile_worker._private_tasks where identifier = 'tile'), '{}'::json from generate_series(1, ${JOBS})`,
);
await pool.query('analyze graphile_worker._private_jobs');

const waiting: { readonly rows: readonly (HandIn & { readonly contributor: string })[]; readonly stored: () => void }[] = [];
let storing = false;

/** One statement at a time; what comes meanwhile is in the next one. */
async function storeAll(): Promise<void> {
  if (storing) return;
  storing = true;
  for (let group = waiting.splice(0); group.length > 0; group = waiting.splice(0)) {
    const rows = group.flatMap((each) => each.rows);
    await pool.query('insert into results select *, now() from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) on conflict do nothing', [
      rows.map(({ id }) => id),
      rows.map(({ contributor }) => contributor),
      rows.map(({ hash }) => hash),
      rows.map(({ inline }) => inline),
    ]);
    for (const { stored } of group) stored();
  }
  storing = false;
}

const server = createServer();
const io = new Server(server, { transports: ['websocket'], parser, serveClient: false, perMessageDeflate: false });
const take = (most: number): string[] => {
  const taken = free.splice(0, most);
  for (const offered of taken) leased.set(offered.id, offered);
  return taken.map(({ id }) => id);
};
io.on('connection', (socket) => {
  socket.on('work', (most: number, reply: (ids: string[]) => void) => reply(take(most)));
  socket.on('handIn', (results: HandIn[], reply: (ids: string[]) => void) => {
    const stored = (): void => {
      for (const { id } of results) {
        leased.get(id)?.done();
        leased.delete(id);
      }
      reply(take(results.length));
    };
    waiting.push({ rows: results.map((result) => ({ ...result, contributor: socket.id })), stored });
    void storeAll();
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));

// Ends with whoever started it, however that came about.
process.stdin.resume().once('end', () => process.exit(1));
process.once('SIGTERM', async () => {
  await io.close();
  for (const { done } of [...free.splice(0), ...leased.values()]) done();
  await runner.stop().catch(() => undefined);
  const { rows } = await pool.query<{ count: string }>('select count(*) as count from results');
  console.log(JSON.stringify({ results: Number(rows[0]?.count) }));
  process.exit(0);
});
