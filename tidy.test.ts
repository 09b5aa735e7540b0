import { describe, expect, test } from 'vitest';
import { isTest, parseSource, readSources, type Source, scriptsOf } from './scripts/sources.ts';
import {
  type Finding,
  faces,
  fileLengths,
  folderImports,
  leftovers,
  linesMax,
  purity,
  reachableImports,
  registered,
  roomImports,
  workloadNames,
} from './scripts/tidy.ts';
import { workload, workloadIds } from './shaders/registry.ts';

const sources = readSources(import.meta.dirname);

describe('the project', () => {
  test('has sources in every room', () => {
    for (const room of ['shared', 'shaders', 'server', 'client', 'scripts', 'e2e'])
      expect(sources.filter(({ path }) => path.startsWith(`${room}/`)).length, room).toBeGreaterThan(0);
  });
  test('rooms import only what lies below them', () => expect(roomImports(sources)).toEqual([]));
  test('folders that stay apart do', () => expect(folderImports(sources)).toEqual([]));
  test('nothing loads a face that runs elsewhere', () => expect(reachableImports(sources)).toEqual([]));
  test('shared and the core are pure', () => expect(purity(sources)).toEqual([]));
  test('every import of ours leads to a file', () => {
    const files = new Set(sources.map(({ path }) => path));
    const broken = sources.flatMap(({ path, imports }) =>
      imports.filter(({ target }) => target !== null && /\.(ts|svelte)$/.test(target) && !files.has(target)).map(({ target }) => `${path} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });
  test('the registry lists every workload with all its faces', () => {
    expect(
      registered(
        sources.map(({ path }) => path),
        workloadIds,
      ),
    ).toEqual([]);
    for (const id of workloadIds) expect(workload(id)?.spec.id).toBe(id);
  });
  test('no workload is named outside its folder', () => expect(workloadNames(sources, workloadIds)).toEqual([]));
  test('files can be seen whole', () => {
    for (const warning of fileLengths(sources, linesMax.wanted)) console.warn(`long: ${warning}`);
    expect(fileLengths(sources, linesMax.allowed)).toEqual([]);
  });
  test('nothing is left over', () => expect(leftovers(sources)).toEqual([]));
});

/** One example file per argument pair. */
const example = (...files: readonly (readonly [path: string, text: string])[]): Source[] => files.map(([path, text]) => parseSource(path, text));

/** Each rule must find the bad file and only that. */
function finds(
  rule: (sources: readonly Source[]) => Finding[],
  good: readonly (readonly [string, string])[],
  bad: readonly (readonly [string, string])[],
): void {
  expect(rule(example(...good))).toEqual([]);
  for (const file of bad) expect(rule(example(...good, file)).join('\n'), file.join(': ')).toContain(file[0]);
}

describe('reading', () => {
  test('all forms of import', () => {
    const text = `import a from './a.ts';
      import type { B } from "./b.ts";
      export * from '../c.ts';
      export { d } from 'pkg';
      const e = await import('./e.ts');
      new Worker(new URL('./f.worker.ts', import.meta.url));
      type G = import('./g.ts').G;
      import './h.wgsl?raw';
      import { hash as digest } from 'node:crypto';`;
    const { imports } = parseSource('server/x/y.ts', text);
    expect(imports.map(({ target, specifier }) => target ?? specifier)).toEqual([
      'server/x/a.ts',
      'server/x/b.ts',
      'server/c.ts',
      'pkg',
      'server/x/e.ts',
      'server/x/f.worker.ts',
      'server/x/g.ts',
      'server/x/h.wgsl',
      'node:crypto',
    ]);
    expect(imports.map(({ typeOnly }) => typeOnly)).toEqual([false, true, false, false, false, false, true, false, false]);
    expect(imports.map(({ lazy }) => lazy)).toEqual([false, false, false, false, true, true, true, false, false]);
    expect(imports.at(-1)).toMatchObject({ names: ['hash'], line: 9 });
  });
  test('tests and their helpers', () => {
    for (const path of ['a/b.test.ts', 'a/b.bench.ts', 'a/b.browser.test.ts', 'a/b.testing.ts', 'a/testing.ts', 'a/testing/b.ts', 'e2e/support/b.ts'])
      expect(isTest(path), path).toBe(true);
    for (const path of ['a/b.ts', 'a/contesting.ts', 'a/testing-ground/b.ts']) expect(isTest(path), path).toBe(false);
  });
  test('scripts of a component keep their lines', () => {
    const svelte = `<p>'x'</p>\n<script module lang="ts">\nimport './a.ts';\n</script>\n<script lang="ts">\nimport './b.ts';\n</script>`;
    expect(scriptsOf(svelte).split('\n')).toHaveLength(svelte.split('\n').length);
    expect(parseSource('client/ui/A.svelte', svelte).imports.map(({ target, line }) => [target, line])).toEqual([
      ['client/ui/a.ts', 3],
      ['client/ui/b.ts', 6],
    ]);
  });
});

describe('each rule can fail', () => {
  test('rooms', () =>
    finds(
      roomImports,
      [
        ['server/a.ts', `import '../shared/model.ts'; import 'fastify'; import '../shaders/registry.ts';`],
        ['e2e/a.test.ts', `import './b.ts'; import '../scripts/chromium.ts';`],
      ],
      [
        ['shared/a.ts', `import '../shaders/registry.ts';`],
        ['shaders/a.ts', `import '../server/main.ts';`],
        ['server/b.ts', `const x = await import('../client/net/api.ts');`],
        ['client/a.svelte', `<script>import x from '../server/app.ts';</script>`],
        ['e2e/c.ts', `export * from '../shared/model.ts';`],
        ['server/d.ts', `import '../scripts/pages.ts';`],
      ],
    ));
  test('folders', () =>
    finds(
      folderImports,
      [
        ['client/watch/A.svelte', `<script>import '../ui/B.svelte'; import './x.ts';</script>`],
        ['client/App.svelte', `<script>import './watch/A.svelte'; import './submit/A.svelte';</script>`],
        ['shaders/registry.ts', `import './render/entry.ts';`],
        ['shaders/render/run.ts', `import '../common/device.ts';`],
      ],
      [
        ['client/watch/B.svelte', `<script>import '../submit/x.ts';</script>`],
        ['client/ui/B.svelte', `<script>import '../watch/x.ts';</script>`],
        ['client/engine/a.ts', `import '../ui/x.ts';`],
        ['server/http/a.ts', `import '../sockets/b.ts';`],
        ['server/sockets/a.ts', `import '../http/b.ts';`],
        ['server/checks/a.ts', `import '../../shaders/render/check.ts';`],
        ['shaders/matmul/a.ts', `import '../render/bvh.ts';`],
      ],
    ));
  test('reach', () =>
    finds(
      reachableImports,
      [
        ['shaders/registry.ts', `import './render/entry.ts';`],
        ['shaders/render/entry.ts', `import './spec.ts'; const check = () => import('./check.ts');`],
        ['shaders/render/spec.ts', `import type { X } from './prepare.ts';`],
        ['shaders/render/prepare.ts', `import 'node:fs'; import sharp from 'sharp';`],
        ['shaders/render/deep.ts', `import './prepare.ts';`],
        ['client/a.ts', `import '../shaders/registry.ts';`],
        ['server/a.ts', `import '../shaders/registry.ts';`],
      ],
      [
        ['client/b.ts', `import '../shaders/render/deep.ts';`],
        ['server/b.ts', `import '../shaders/render/view.ts';`],
        ['server/c.ts', `import '../shaders/render/preview.ts';`],
        ['shaders/render/preview/read.worker.ts', `import '../deep.ts'; import sharp from 'sharp';`],
        ['shaders/render/run.ts', `import './deep.ts';`],
        ['client/engine/a.ts', `import { join } from 'node:path';`],
      ],
    ));
  test('purity', () =>
    finds(
      purity,
      [
        [
          'server/core/a.ts',
          `import { createHmac } from 'node:crypto'; import type { Write } from '../store/store.ts'; import './b.ts'; const day = new Date(nowMs); event.process = 1;`,
        ],
        ['shared/a.ts', `import { Type } from 'typebox';`],
        ['server/http/a.ts', `Date.now(); Math.random(); setTimeout(f);`],
        ['server/core/a.test.ts', `Date.now();`],
      ],
      [
        ['server/core/b.ts', `import { readFileSync } from 'node:fs';`],
        ['server/core/c.ts', `import { randomBytes } from 'node:crypto';`],
        ['server/core/d.ts', `import { InsufficientCredits } from '../store/store.ts';`],
        ['server/core/e.ts', `const now = Date.now();`],
        ['server/core/f.ts', `const x = Math.random();`],
        ['server/core/g.ts', `setTimeout(() => 1, 2);`],
        ['server/core/h.ts', `const now = new Date();`],
        ['server/core/i.ts', `import Fastify from 'fastify';`],
        ['server/core/j.ts', `const home = process.env.HOME;`],
        ['shared/b.ts', `import 'node:path';`],
        ['shared/c.ts', `const id = crypto.randomUUID();`],
      ],
    ));
  test('registry', () => {
    const whole = faces.map((face) => `shaders/sum/${face}.ts`);
    expect(registered(whole, ['sum'])).toEqual([]);
    expect(registered(whole, [])).toHaveLength(1);
    expect(registered(whole.slice(1), ['sum'])).toHaveLength(1);
    expect(registered([], ['sum'])).toHaveLength(faces.length);
  });
  test('names', () =>
    finds(
      (files) => workloadNames(files, ['sum']),
      [
        ['shaders/sum/spec.ts', `export const id = 'sum';`],
        ['shaders/registry.ts', `const x = 'sum';`],
        ['server/a.test.ts', `const x = 'sum';`],
        ['client/a.svelte', `<p>the sum of all</p><style>.x { content: 'sum'; }</style>`],
        ['server/a.ts', `// the 'sum' of it\nconst x = 'sums'; check.sum();`],
      ],
      [
        ['server/b.ts', `if (id === 'sum') pay();`],
        ['client/b.ts', 'const kind = `sum`;'],
        ['client/b.svelte', `{#if job.workload === 'sum'}<p></p>{/if}`],
        ['client/c.svelte', `<script lang="ts">const x = "sum";</script>`],
      ],
    ));
  test('lengths', () => {
    const files = example(['a.ts', 'x;\n'.repeat(10)], ['b.ts', 'x;\n'.repeat(11)]);
    expect(fileLengths(files, 10)).toEqual(['b.ts: 11 lines, at most 10']);
  });
  test('leftovers', () => {
    const later = `${'TO'}${'DO'}`;
    const ignore = `@ts-${'ignore'}`;
    finds(
      leftovers,
      [['a.ts', `// any way will do\nconst only = list.only; x.skip(); test('a', f); type A = unknown;`]],
      [
        ['b.ts', `let x: any;`],
        ['c.ts', `// ${later}: later`],
        ['d.ts', `// ${ignore}`],
        ['e.test.ts', `test.only('a', f);`],
        ['f.test.ts', `describe.skip('a', f);`],
        ['g.test.ts', `it.concurrent.todo('a');`],
        ['h.svelte', `<script lang="ts">let x = y as any;</script>`],
      ],
    );
  });
});
