import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseYaml } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { readConfig, settingNames } from './config.ts';
import { temporaryFolder } from './store/testing.ts';

/** What can be known of deploy/compose.yaml without running containers. */

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly deploy?: { readonly resources: { readonly limits: { readonly memory: string } } };
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly networks: object;
}

const deploy = join(import.meta.dirname, '../deploy');
const text = (name: string): string => readFileSync(join(deploy, name), 'utf8');
const compose = parseYaml(text('compose.yaml')) as Compose;
const services = Object.entries(compose.services);
const stagesOf = (containerfile: string): string[] => [...containerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name!);

function makeSecrets(): { folder: ReturnType<typeof temporaryFolder>; run(): void; read(name: string): string } {
  const folder = temporaryFolder();
  mkdirSync(folder.path, { recursive: true });
  const whom = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  return {
    folder,
    run: () => expect(spawnSync('sh', [join(deploy, 'secrets.sh'), folder.path, whom], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' }),
    read: (name) => readFileSync(join(folder.path, name), 'utf8'),
  };
}
const variablesOf = (env: string): Record<string, string> =>
  Object.fromEntries([...env.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]));

test('services, volumes, networks, build stages and files that compose.yaml names are there', () => {
  expect(Object.keys(compose.services).sort()).toEqual(['caddy', 'coordinator-1', 'coordinator-2', 'postgres', 'secrets', 'store']);
  for (const [name, { build, volumes = [], networks = [], depends_on = [], deploy: resources }] of services) {
    const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
    for (const other of needed) expect(Object.keys(compose.services), name).toContain(other);
    for (const network of networks) expect(Object.keys(compose.networks), name).toContain(network);
    for (const volume of volumes) {
      const [from = ''] = volume.split(':');
      if (from.startsWith('.')) expect(existsSync(join(deploy, from)), volume).toBe(true);
      else expect(Object.keys(compose.volumes), name).toContain(from);
    }
    if (build) expect(stagesOf(readFileSync(join(deploy, build.context, build.dockerfile), 'utf8')), name).toContain(build.target);
    if (name !== 'secrets') expect(resources?.resources.limits.memory, name).toMatch(/^\d+g$/);
  }
});

test('every setting that a coordinator gets is one that it reads, and together they are a configuration', () => {
  const secrets = makeSecrets();
  secrets.run();
  const made = variablesOf(secrets.read('coordinator.env'));
  secrets.folder.remove();
  for (const [name, { environment = {} }] of services.filter(([id]) => id.startsWith('coordinator'))) {
    const filled = Object.entries(environment).map(([key, value]) => [
      key,
      value.replace(/\$\{DOMAIN:\?[^}]*\}/, 'tessera.example').replace(/\$\{[A-Z0-9_]+:-([^}]*)\}/, '$1'),
    ]);
    const env = { ...(Object.fromEntries(filled) as Record<string, string>), ...made };
    expect(Object.keys(env).filter((key) => !settingNames.has(key))).toEqual([]);
    expect(readConfig(env), name).toMatchObject({ publicOrigin: 'https://tessera.example', trustProxy: true, s3: { bucket: 'tessera', region: 'garage' } });
  }
});

test('secrets are made once, are alike on both sides and nobody else’s to read', () => {
  const secrets = makeSecrets();
  // Killed half-way, it begins anew.
  writeFileSync(join(secrets.folder.path, 'postgres-password'), 'half');
  secrets.run();
  const [coordinator, store] = [variablesOf(secrets.read('coordinator.env')), variablesOf(secrets.read('store.env'))];
  expect(secrets.read('postgres-password')).toMatch(/^[0-9a-f]{64}$/);
  expect(coordinator.DATABASE_URL).toBe(`postgres://tessera:${secrets.read('postgres-password')}@postgres:5432/tessera`);
  expect([store.GARAGE_DEFAULT_ACCESS_KEY, store.GARAGE_DEFAULT_SECRET_KEY]).toEqual([coordinator.S3_ACCESS_KEY_ID, coordinator.S3_SECRET_ACCESS_KEY]);
  expect(store.GARAGE_DEFAULT_BUCKET).toBe('tessera');
  const before = secrets.read('store.env');
  secrets.run();
  expect(secrets.read('store.env')).toBe(before);
  for (const name of ['postgres-password', 'coordinator.env', 'store.env']) expect(statSync(join(secrets.folder.path, name)).mode & 0o077, name).toBe(0);
  secrets.folder.remove();
});

test('what the Containerfile copies is there, and the Caddyfile sends to the coordinators of compose.yaml', () => {
  const copied = [...text('Containerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from]) => from!.split(' '));
  expect(copied.length).toBeGreaterThan(5);
  for (const path of copied) expect(existsSync(join(deploy, '..', path)), path).toBe(true);
  const caddyfile = text('Caddyfile');
  const [, upstreams = ''] = /^\s*reverse_proxy (.+) \{$/m.exec(caddyfile) ?? [];
  expect(upstreams.split(' ')).toEqual(['coordinator-1:8080', 'coordinator-2:8080']);
  expect(caddyfile.match(/\{$/gm)?.length).toBe(caddyfile.match(/^\s*\}$/gm)?.length);
  expect(text('garage.toml')).toContain('s3_region = "garage"');
});

/** Instructions of a build stage and of those that it is made from, base image first. */
function stepsOf(target: string): readonly (readonly [instruction: string, argument: string])[] {
  const stages = text('Containerfile')
    .replace(/\\\n/g, '')
    .split(/^(?=FROM )/m)
    .map((stage) => stage.split('\n'));
  const [from = '', ...lines] = stages.find(([first]) => first!.endsWith(` AS ${target}`)) ?? [];
  const [, base] = /^FROM (\S+) AS/.exec(from) ?? [];
  const steps = lines.flatMap((line): [string, string][] => {
    const [, instruction, argument] = /^(COPY|RUN) (.+)$/.exec(line) ?? [];
    return instruction && argument ? [[instruction, argument]] : [];
  });
  return base === undefined ? [] : [...stepsOf(base), ...steps];
}

test('images have all that building the pages, the coordinator and a contributor need', { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  mkdirSync(folder.path, { recursive: true });
  const root = join(deploy, '..');
  symlinkSync(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  const run = (command: string): void => expect(spawnSync('sh', ['-c', command], { cwd: folder.path, encoding: 'utf8' }), command).toMatchObject({ status: 0 });
  for (const [instruction, argument] of stepsOf('coordinator')) {
    if (instruction === 'COPY') for (const path of argument.split(' ').slice(0, -1)) cpSync(join(root, path), join(folder.path, path), { recursive: true });
    // What needs a registry or root is left out: packages, and folders of another user.
    else if (instruction === 'RUN' && !argument.startsWith('npm ci')) run(argument.split(' && mkdir ')[0]!);
  }
  expect(existsSync(join(folder.path, 'dist/client/index.html'))).toBe(true);
  run('node client/headless.ts --help');
  folder.remove();
});

test('a container and a service start Node with a compile cache and one arena of memory, as npm start does', () => {
  const { scripts } = JSON.parse(readFileSync(join(deploy, '../package.json'), 'utf8')) as { scripts: { start: string } };
  expect(scripts.start).toMatch(/^exec env NODE_COMPILE_CACHE=\S+ MALLOC_ARENA_MAX=1 node scripts\/start\.ts$/);
  for (const name of ['Containerfile', 'tessera-coordinator.service'])
    expect(text(name), name).toMatch(/^(ENV |Environment=)NODE_COMPILE_CACHE=\/\S+ MALLOC_ARENA_MAX=1$/m);
});
