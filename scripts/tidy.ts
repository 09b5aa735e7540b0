import ts from 'typescript';
import { type Import, isTest, lineOf, type Source, walk } from './sources.ts';

/** The house rules, each a function from source files to findings: `path:line what is wrong`. tidy.test.ts runs them all. */
export type Finding = string;

const finding = (source: Source, line: number, message: string): Finding => `${source.path}:${line} ${message}`;

const inside = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

/** What each room may import of ours. Files of the root folder count as scripts. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  shared: ['shared'],
  shaders: ['shared', 'shaders'],
  server: ['shared', 'shaders', 'server'],
  client: ['shared', 'shaders', 'client', 'scripts/verify-receipt.mjs'],
  scripts: ['shared', 'shaders', 'scripts', 'server/main.ts', 'client/cli/progress.ts', 'client/headless/adapter.ts', 'client/sdk', 'vite.config.ts'],
  e2e: ['e2e', 'scripts/chromium.ts', 'scripts/child.ts', 'scripts/pages.ts', 'scripts/local-money.ts'],
};

const roomOf = (path: string): string => {
  const first = path.split('/')[0] ?? '';
  return first in rooms ? first : 'scripts';
};

/** A room imports only the rooms below it. */
export function roomImports(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) => {
    const room = roomOf(source.path);
    const allowed = rooms[room] ?? [];
    return source.imports
      .filter(({ target }) => target !== null && !allowed.some((place) => inside(target, place)))
      .map(({ target, line }) => finding(source, line, `${room} must not import ${target}`));
  });
}

/** Folders that must not import each other. */
const apart: readonly (readonly [string, string])[] = [
  ['server/http', 'server/sockets'],
  ['server/sockets', 'server/http'],
  ['server/store', 'server/http'],
  ['server/store', 'server/sockets'],
];

/** Parts of the client that every page may use. They import no page. */
const sharedClientFolders = new Set(['ui', 'net', 'engine', 'comfort', 'sdk']);

const clientFolder = (path: string): string | null => (/^client\/[^/]+\//.test(path) ? (path.split('/')[1] ?? null) : null);

function crossesPages(from: string, to: string): boolean {
  const [own, other] = [clientFolder(from), clientFolder(to)];
  // What benches run pages with serves tests as well.
  if (isTest(from) && other === 'bench') return false;
  return own !== null && other !== null && own !== other && !sharedClientFolders.has(other);
}

const workloadFolder = (path: string): string | null => {
  const folder = /^shaders\/([^/]+)\//.exec(path)?.[1];
  return folder && folder !== 'common' ? folder : null;
};

/** Folders of one room that stay apart: http and sockets, pages, workloads. */
export function folderImports(sources: readonly Source[]): Finding[] {
  const why = (from: string, to: string): string | null => {
    for (const [a, b] of apart) if (inside(from, a) && inside(to, b)) return `${a} must not import ${b}`;
    if (crossesPages(from, to)) return `a page’s folder must not import another page’s: ${to}`;
    if (inside(from, 'client/engine') && clientFolder(to) !== null && clientFolder(to) !== 'engine' && clientFolder(to) !== 'net')
      return `the engine must not import ${to}`;
    const [own, other] = [workloadFolder(from), workloadFolder(to)];
    if (other !== null && own !== other && from !== 'shaders/registry.ts' && !isTest(from)) return `only the registry imports from a workload’s folder: ${to}`;
    return null;
  };
  return sources.flatMap((source) =>
    source.imports.flatMap(({ target, line }) => {
      const reason = target === null ? null : why(source.path, target);
      return reason === null ? [] : [finding(source, line, reason)];
    }),
  );
}

/** Where every file that a room loads at once must not lead: static imports are followed, lazy and type-only ones are not. */
const unreachable: readonly { readonly from: RegExp; readonly never: RegExp; readonly why: string }[] = [
  { from: /^client\//, never: /^shaders\/[^/]+\/(prepare|check|assemble|samples)\.ts$/, why: 'pages must not load a face of the coordinator' },
  { from: /^server\//, never: /^shaders\/[^/]+\/(run|view|preview)\.ts$/, why: 'the coordinator must not load a face of the pages' },
  {
    from: /^shaders\/[^/]+\/((spec|form|run|view|preview)|preview\/.*\.worker)\.ts$/,
    never: /^(node:|sharp$|better-sqlite3$|webgpu$|@gltf-transform\/)/,
    why: 'faces that run in pages must not load Node modules',
  },
  { from: /^client\/engine\//, never: /^(node:|svelte|playwright|webgpu$)/, why: 'the engine runs in a Web Worker and in Node alike' },
];

export function reachableImports(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const loads = (source: Source): readonly Import[] => source.imports.filter(({ typeOnly, lazy }) => !typeOnly && !lazy);

  /** The first forbidden import reachable from a file, as the chain that leads there. */
  const chain = (start: Source, never: RegExp): string[] | null => {
    const seen = new Set([start.path]);
    const queue: { source: Source; way: string[] }[] = [{ source: start, way: [] }];
    for (let next = queue.shift(); next; next = queue.shift()) {
      for (const { target, specifier } of loads(next.source)) {
        const name = target ?? specifier;
        const way = [...next.way, name];
        if (never.test(name)) return way;
        const source = byPath.get(name);
        if (source && !seen.has(name)) {
          seen.add(name);
          queue.push({ source, way });
        }
      }
    }
    return null;
  };

  return sources
    .filter(({ path }) => !isTest(path))
    .flatMap((source) =>
      unreachable
        .filter(({ from }) => from.test(source.path))
        .flatMap(({ never, why }) => {
          const way = chain(source, never);
          return way ? [finding(source, 1, `${why}: ${way.join(' -> ')}`)] : [];
        }),
    );
}

/** Rooms whose answers depend on their arguments alone, and the little they may import from outside. */
const pureRooms: readonly { readonly room: string; readonly packages: readonly string[]; readonly types: readonly string[] }[] = [
  { room: 'shared', packages: ['typebox', 'typebox/value', '@noble/hashes/sha2.js'], types: [] },
  { room: 'server/core', packages: [], types: ['server/store/store.ts'] },
];

/** Names through which the clock, chance and the outside world come in. */
const impureNames = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'process', 'performance', 'crypto', 'console', 'require']);
const impureCalls = new Set(['Date.now', 'Math.random']);
/** Pure functions of node:crypto: a keyed digest is a value of its arguments. */
const pureCrypto = new Set(['KeyObject', 'createHash', 'createHmac', 'timingSafeEqual', 'hash']);

function impureUses(source: Source): Finding[] {
  const found: Finding[] = [];
  walk(source.ast, (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const text = node.getText(source.ast);
      if (impureCalls.has(text)) found.push(finding(source, lineOf(source.ast, node), `${text} in a pure room`));
      if (ts.isIdentifier(node.expression) && impureNames.has(node.expression.text))
        found.push(finding(source, lineOf(source.ast, node), `${text} in a pure room`));
    }
    const called = ts.isCallExpression(node) || ts.isNewExpression(node) ? node.expression : null;
    if (called && ts.isIdentifier(called) && impureNames.has(called.text))
      found.push(finding(source, lineOf(source.ast, node), `${called.text}() in a pure room`));
    const isNow = ts.isNewExpression(node) && node.expression.getText(source.ast) === 'Date' && (node.arguments?.length ?? 0) === 0;
    if (isNow) found.push(finding(source, lineOf(source.ast, node), 'new Date() in a pure room'));
  });
  return found;
}

/** The shared language and the core's decisions are values of their arguments: no I/O, no clock, no chance. */
export function purity(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ path }) => !isTest(path) && !/\.(bench|d)\.ts$/.test(path))
    .flatMap((source) => {
      const pure = pureRooms.find(({ room }) => inside(source.path, room));
      if (!pure) return [];
      const allowed = ({ target, specifier, typeOnly, names }: Import): boolean => {
        if (target !== null) return ['shared', 'shaders', pure.room].some((place) => inside(target, place)) || (typeOnly && pure.types.includes(target));
        if (specifier === 'node:crypto') return pure.room === 'server/core' && names.length > 0 && names.every((name) => pureCrypto.has(name));
        return pure.packages.includes(specifier);
      };
      const imports = source.imports
        .filter((each) => !allowed(each))
        .map(({ specifier, line }) => finding(source, line, `${pure.room} is pure, it must not import ${specifier}`));
      return [...imports, ...impureUses(source)];
    });
}

/** Faces that every workload has, one file each. */
export const faces = ['entry', 'spec', 'form', 'prepare', 'run', 'check', 'view', 'assemble', 'samples'] as const;

/** Every workload folder has its line in the registry, every line its folder, and no face is missing. `files` are all paths of the project. */
export function registered(files: readonly string[], ids: readonly string[]): Finding[] {
  const all = new Set(files);
  const folders = files.flatMap((path) => /^shaders\/([^/]+)\/spec\.ts$/.exec(path)?.[1] ?? []);
  return [
    ...folders.filter((folder) => !ids.includes(folder)).map((folder) => `shaders/${folder}: a workload that shaders/registry.ts does not list`),
    ...ids.flatMap((id) =>
      faces.filter((face) => !all.has(`shaders/${id}/${face}.ts`)).map((face) => `shaders/registry.ts: ${id} has no shaders/${id}/${face}.ts`),
    ),
  ];
}

/** Nothing outside its folder names a workload, in code or in markup. */
export function workloadNames(sources: readonly Source[], ids: readonly string[]): Finding[] {
  return sources
    .filter(({ path }) => path !== 'shaders/registry.ts' && !isTest(path))
    .flatMap((source) => {
      const foreign = ids.filter((id) => !inside(source.path, `shaders/${id}`));
      const found: Finding[] = [];
      walk(source.ast, (node) => {
        if (ts.isStringLiteralLike(node) && foreign.includes(node.text))
          found.push(finding(source, lineOf(source.ast, node), `names the workload ${node.text}`));
      });
      if (!source.path.endsWith('.svelte')) return found;
      const markup = source.text.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, (block) => block.replace(/[^\n]/g, ' '));
      for (const id of foreign) {
        for (const match of markup.matchAll(new RegExp(`['"\`]${id}['"\`]`, 'g'))) {
          found.push(finding(source, markup.slice(0, match.index).split('\n').length, `names the workload ${id}`));
        }
      }
      return found;
    });
}

export const linesMax = { wanted: 300, allowed: 450 } as const;

export const lineCount = ({ text }: Source): number => text.trimEnd().split('\n').length;

export function fileLengths(sources: readonly Source[], max: number): Finding[] {
  return sources.filter((source) => lineCount(source) > max).map((source) => `${source.path}: ${lineCount(source)} lines, at most ${max}`);
}

/** Comments that switch the compiler off, or put work off. Written apart so that this file does not match itself. */
const leftoverText = new RegExp(
  `@ts-(${['ignore', 'expect-error', 'nocheck'].join('|')})\\b|\\b(${['TO', 'FIX'].map((word) => `${word}${word === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`,
);
const testFunctions = new Set(['describe', 'it', 'test', 'suite', 'bench']);
const unfinished = new Set(['only', 'skip', 'todo']);

/** `any`, switched-off checks, notes to do something later, and tests that do not run. */
export function leftovers(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) => {
    const found = source.text.split('\n').flatMap((line, index) => {
      const match = leftoverText.exec(line);
      return match ? [finding(source, index + 1, match[0])] : [];
    });
    walk(source.ast, (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(finding(source, lineOf(source.ast, node), 'any'));
      const isTestModifier =
        ts.isPropertyAccessExpression(node) && unfinished.has(node.name.text) && testFunctions.has(/^\w+/.exec(node.getText(source.ast))?.[0] ?? '');
      if (isTestModifier) found.push(finding(source, lineOf(source.ast, node), node.getText(source.ast)));
    });
    return found;
  });
}
