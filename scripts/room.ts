import '../shaders/raw-hooks.ts';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright';
import { Tessera } from '../client/sdk/index.ts';
import { workload, workloadIds } from '../shaders/registry.ts';
import { checkedShareOf } from '../shared/checked.ts';
import type { JobRequest, JobView } from '../shared/schemas.ts';
import type { WorkloadSample } from '../shared/workload.ts';
import { buildPages, root } from './pages.ts';
import { serveControls } from './room/control.ts';
import { acceptedOf, accusedAmong, acknowledgedIn, contributorsOf, type Evidence, operatorCookie } from './room/evidence.ts';
import { Liars } from './room/liars.ts';
import { LocalFleet, launch } from './room/local.ts';
import { type RoomOptions, readOptions, UsageError, usage } from './room/options.ts';
import { freePort, RoomCoordinator } from './room/process.ts';
import { Recording } from './room/record.ts';

/** `npm run room`: a room full of devices renders one picture on a wall, bears liars and a kill -9, and shows its papers. See `usage`. */

const LOOK_MS = 500;
/** The story that a room plays alone: at which shares of the job what happens. Liars come first: a newcomer gets nothing of a job that others finish within a minute. */
const STORY = { liarsCome: 0, kill: 0.45, liarsGo: 0.75, liarsPercent: 25 } as const;
const WALL = { width: 1600, height: 900 } as const;
const RECEIPT_MS_MAX = 60_000;

interface Room {
  readonly options: RoomOptions;
  readonly dataDir: string;
  readonly coordinator: RoomCoordinator;
  readonly liars: Liars;
  readonly tessera: Tessera;
  readonly url: string;
  readonly job: JobView;
  readonly cookie: string;
  /** Results that were acknowledged when the coordinator was killed. */
  readonly acknowledged: Set<string>;
}

/** The first public sample that somebody else has rendered too. */
async function sampleWithReference(): Promise<{ id: string; sample: WorkloadSample }> {
  for (const id of workloadIds) {
    const samples = await (await workload(id)!.samples()).samples();
    const sample = samples.find(({ reference }) => reference);
    if (sample) return { id, sample };
  }
  throw new Error('no public sample has a reference');
}

async function order(tessera: Tessera, { width, height, samples }: RoomOptions): Promise<JobView> {
  const { id, sample } = await sampleWithReference();
  const files: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(sample.files)) files[name] = (await tessera.upload(new Blob([new Uint8Array(bytes)]))).hash;
  const params = { ...(sample.params as object), width, height, samples };
  return tessera.submit({ workload: id, params, files, title: sample.title, visibility: 'unlisted', unit: 'test' } as JobRequest);
}

/** A link's token, made on the machine as its operator makes one. */
async function operatorToken(env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['server/operator.ts'], { cwd: root, env });
  const token = /#([A-Za-z0-9_-]{43})/.exec(stdout)?.[1];
  if (!token) throw new Error(`no operator's link: ${stdout}`);
  return token;
}

async function openRoom(options: RoomOptions, signal: AbortSignal, use: (room: Room, wallUrl: string) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tessera-room-'));
  const key = randomBytes(32).toString('base64url');
  const port = options.port === 0 ? await freePort() : options.port;
  let room: Room | undefined;
  const { sample } = await sampleWithReference();
  const control = await serveControls({
    view: () => ({
      joinUrl: options.local === null ? (joinUrlOf(room) ?? null) : null,
      liarsPercent: room?.liars.percent ?? 0,
      liars: room?.liars.here ?? 0,
      liarsFound: room?.liars.found ?? 0,
      kills: room?.coordinator.kills ?? 0,
      backAfterMs: room?.coordinator.backAfterMs ?? null,
      referenceBy: sample.reference?.by ?? null,
      gpuHourUsd: options.gpuHourUsd,
    }),
    plant: (percent) => {
      if (room) room.liars.percent = percent;
    },
    kill: () => {
      const { coordinator, acknowledged, job } = room!;
      void coordinator.killAndStart(() => {
        for (const id of acknowledgedIn(dataDir, job.id)) acknowledged.add(id);
      });
    },
    reference: sample.reference ?? null,
  });
  const { PUBLIC_ORIGIN: _, ...outer } = process.env;
  const env = {
    ...outer,
    PORT: String(port),
    DATA_DIR: dataDir,
    HTTPS: options.isHttps ? 'on' : 'off',
    GALLERY: 'off',
    // Whoever is in the room knows everybody else: devices behind one address may check each other.
    PRIVATE_SWARM: 'on',
    LOG_LEVEL: 'warn',
    TRUSTED_KEYS: key,
    ROOM_CONTROL: control.url,
  };
  const coordinator = new RoomCoordinator(env);
  let liars: Liars | undefined;
  try {
    const url = await coordinator.start();
    // Nobody else has vouched for the certificate that the coordinator has just made itself.
    if (options.isHttps) setDefaultCACertificates([...getCACertificates(), readFileSync(join(dataDir, 'tls/certificate.pem'), 'utf8')]);
    const tessera = new Tessera({ server: url });
    await tessera.session();
    const job = await order(tessera, options);
    const cookie = await operatorCookie(url, await operatorToken(env));
    let here = 0;
    const count = setInterval(() => {
      void contributorsOf(url, cookie).then(
        (rows) => {
          here = rows.filter(({ online, drill }) => online && !drill).length;
        },
        () => undefined,
      );
    }, LOOK_MS);
    liars = new Liars(url, key, () => here);
    room = { options, dataDir, coordinator, liars, tessera, url, job, cookie, acknowledged: new Set() };
    const wallUrl = `${url}/jobs/${job.id}/wall#${await operatorToken(env)}`;
    const stopped = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    try {
      await Promise.race([use(room, wallUrl), coordinator.ended, stopped]);
    } finally {
      clearInterval(count);
    }
  } finally {
    liars?.close();
    await coordinator.stop();
    control.server.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The first address in the local network, which the coordinator's QR code is of; this machine's own where there is none. */
const joinUrlOf = (room: Room | undefined): string | undefined => room && (/^ {2}(https:\S+)$/m.exec(room.coordinator.announcement)?.[1] ?? room.url);

/** A real room: everything else is done on the wall. */
async function host({ options, coordinator, job, tessera }: Room, wallUrl: string): Promise<void> {
  console.log(coordinator.announcement);
  console.log(`\nThe wall, for the projector (works once, on this machine): ${wallUrl}`);
  console.log(`${job.title}: ${options.width} x ${options.height} pixels, ${options.samples} paths each. Ctrl-C ends the room.`);
  // While the coordinator is away nobody answers; the wall shows that.
  let status = job.status;
  while (status === 'open') {
    await sleep(LOOK_MS);
    status = await tessera.job(job.id).then(
      (view) => view.status,
      () => status,
    );
  }
  console.log(`The picture is ${status}. The wall shows it, its receipt and its bill until Ctrl-C.`);
  await new Promise(() => undefined);
}

/** Does on the wall what somebody in front of it would do. */
async function play(room: Room, wall: Page, untilMs: number, say: (line: string) => void): Promise<JobView> {
  const { job, tessera, coordinator } = room;
  const slider = wall.getByRole('slider', { name: /^Planted liars/ });
  const todo = [
    { at: STORY.liarsCome, does: 'liars come', act: () => slider.fill(String(STORY.liarsPercent)) },
    { at: STORY.kill, does: 'the coordinator is killed', act: () => wall.getByRole('button', { name: 'Kill the coordinator' }).click() },
    { at: STORY.liarsGo, does: 'liars go', act: () => slider.fill('0') },
  ];
  for (;;) {
    if (performance.now() > untilMs) throw new Error(`it was not done after ${room.options.seconds} s`);
    const view = await tessera.job(job.id).catch(() => undefined);
    const done = view ? view.parts.accepted / Math.max(1, view.parts.total) : 0;
    if (view && view.status !== 'open') {
      // The wall shows the end, and nothing to press. Liars that are still there do no harm any more.
      const missed = todo.filter(({ at }) => at < STORY.liarsGo).map(({ does }) => does);
      if (missed.length > 0) throw new Error(`the picture was done before its time: ${missed.join(', ')}. Give it more --samples.`);
      return view;
    }
    if (view && todo[0] && done >= todo[0].at) {
      const { does, act } = todo.shift()!;
      say(`${(done * 100).toFixed(0)} % done: ${does}`);
      const kills = coordinator.kills;
      await act();
      // The next thing is done to a coordinator that is there.
      if (does.includes('killed')) while (coordinator.kills === kills || (await tessera.job(job.id).catch(() => undefined)) === undefined) await sleep(LOOK_MS);
      continue;
    }
    await sleep(LOOK_MS);
  }
}

async function playAlone(room: Room, wallUrl: string, count: number): Promise<Evidence> {
  const { options, tessera, url, cookie, liars, coordinator, acknowledged } = room;
  const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
  const beganMs = performance.now();
  const browser: Browser = await launch();
  const fleet = new LocalFleet();
  try {
    const context = await browser.newContext({ viewport: WALL, colorScheme: 'dark' });
    const wall = await context.newPage();
    wall.setDefaultTimeout(RECEIPT_MS_MAX);
    await wall.goto(wallUrl);
    await wall.getByRole('slider', { name: /^Planted liars/ }).waitFor();
    const recording = options.record === null ? null : new Recording(wall);
    const joined = fleet.join(browser, url, count);
    const played = play(room, wall, beganMs + options.seconds * 1000, say);
    const view = await Promise.race([joined.then(() => played), played, fleet.ended()]);
    if (view.status !== 'done') throw new Error(`the job ended as ${view.status}`);
    const seconds = (performance.now() - beganMs) / 1000;
    const papers = wall.locator('[data-receipt=whole], [data-receipt=broken]');
    await papers.waitFor();
    const isWhole = (await papers.getAttribute('data-receipt')) === 'whole';
    const painted = Number(await wall.locator('[data-painted-p95-ms]').getAttribute('data-painted-p95-ms'));
    if (recording && options.record) {
      await sleep(2 * LOOK_MS);
      await recording.end();
      await papers.scrollIntoViewIfNeeded();
      await recording.take();
      const bytes = await recording.save(resolve(options.record));
      say(`Recorded   ${relative(root, resolve(options.record))}, ${(bytes / 1e6).toFixed(1)} MB`);
    }
    const accepted = new Set((await acceptedOf(tessera, room.job.id)).map(({ id }) => id as string));
    return {
      tiles: view.grid.tiles * view.grid.passes,
      parts: view.parts.total,
      parts_accepted: view.parts.accepted,
      liars_planted: liars.ids.size,
      liars_found: liars.found,
      liars_earned_micro: Number(await liars.earned()),
      honest_accused: accusedAmong(await contributorsOf(url, cookie), liars),
      kills: coordinator.kills,
      acknowledged_at_kill: acknowledged.size,
      lost_over_kill: [...acknowledged].filter((id) => !accepted.has(id)).length,
      back_after_ms: Math.round(coordinator.backAfterMs ?? 0),
      checking_share: checkedShareOf(view, workload(view.workload)!.spec),
      accept_to_paint_ms_p95: Math.round(painted),
      receipt_verified: isWhole ? 1 : 0,
      contributors: view.contributors,
      seconds: Math.round(seconds),
    };
  } finally {
    await fleet.leave().catch(() => undefined);
    await browser.close();
  }
}

/** What must not be, in words. */
export function complaintsOf(evidence: Evidence): string[] {
  const { parts, parts_accepted: accepted, liars_planted: planted, liars_found: found, liars_earned_micro: earned } = evidence;
  return [
    ...(accepted === parts ? [] : [`${parts - accepted} parts are not accepted`]),
    ...(planted > 0 && found > 0 ? [] : ['no liar was found out']),
    ...(earned === 0 ? [] : [`liars earned ${earned} micro-credits`]),
    ...(evidence.honest_accused === 0 ? [] : [`${evidence.honest_accused} honest contributors were accused`]),
    ...(evidence.kills > 0 && evidence.acknowledged_at_kill > 0 ? [] : ['nothing was acknowledged when the coordinator was killed']),
    ...(evidence.lost_over_kill === 0 ? [] : [`${evidence.lost_over_kill} acknowledged results were lost`]),
    ...(evidence.receipt_verified === 1 ? [] : ['the receipt is not whole']),
  ];
}

function report(evidence: Evidence): string {
  const width = Math.max(...Object.keys(evidence).map(({ length }) => length)) + 2;
  return Object.entries(evidence)
    .map(([name, value]) => `${name.replaceAll('_', ' ').padEnd(width)}${Number.isInteger(value) ? value : value.toPrecision(3)}`)
    .join('\n');
}

async function main(options: RoomOptions): Promise<number> {
  if (await buildPages()) (options.json ? console.error : console.log)('Pages built.');
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort(new Stopped()));
  const { local } = options;
  let evidence: Evidence | undefined;
  try {
    await openRoom(options, stopping.signal, async (room, wallUrl) => {
      if (local === null) return host(room, wallUrl);
      evidence = await playAlone(room, wallUrl, local);
    });
  } catch (error) {
    if (error instanceof Stopped) return 0;
    throw error;
  }
  if (!evidence) return 0;
  console.log(options.json ? JSON.stringify({ suite: 'room', figures: evidence }) : report(evidence));
  const complaints = complaintsOf(evidence);
  for (const complaint of complaints) console.error(`FAILED: ${complaint}`);
  return complaints.length === 0 ? 0 : 1;
}

class Stopped extends Error {}

if (import.meta.main) {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === 'help') console.log(usage);
    process.exit(options === 'help' ? 0 : await main(options));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    if (error instanceof UsageError) console.error('See --help.');
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}
