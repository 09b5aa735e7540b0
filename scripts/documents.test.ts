import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changed, missingFrom, stepsOf } from './documents.ts';
import { root } from './pages.ts';

const document = `# One

Some text.

<!-- newcomer: serves -->
\`\`\`sh
# first this
npm ci

PORT=1 \\
  npm start   # then look
\`\`\`
\`\`\`text
ready: …

In this network:
\`\`\`

## Two

<!-- newcomer: skip needs Docker -->
\`\`\`sh
docker run x
\`\`\`

\`a/b.ts\`: what it is.

\`\`\`ts
const x = 1;
\`\`\`

\`a/b.ts\` again, changed:

\`\`\`diff
 const a = 1;
-const b = 2;
+const c = 3;
\`\`\`

\`\`\`sh
npm test
\`\`\`

Not what that prints:

\`\`\`text
nothing
\`\`\`

\`\`\`js
neither();
\`\`\`
`;

describe('a document', () => {
  test('is read as the steps that people take', () =>
    expect(stepsOf(document)).toEqual([
      { kind: 'section', level: 1 },
      { kind: 'run', line: 8, command: 'npm ci', wanted: [] },
      { kind: 'serve', line: 10, command: 'PORT=1 \\\n  npm start   # then look', wanted: ['ready: …', 'In this network:'] },
      { kind: 'section', level: 2 },
      { kind: 'skip', reason: 'needs Docker', line: 23, command: 'docker run x', wanted: [] },
      { kind: 'file', line: 28, path: 'a/b.ts', text: 'const x = 1;\n' },
      { kind: 'change', line: 34, path: 'a/b.ts', from: 'const a = 1;\nconst b = 2;', to: 'const a = 1;\nconst c = 3;' },
      { kind: 'run', line: 41, command: 'npm test', wanted: [] },
    ]));

  test.each([
    ['```sh\nls\n', 'does not end'],
    ['```sh\nls \\\n```\n', 'line 2: this command does not end'],
    ['<!-- newcomer: whatever -->\n```sh\nls\n```\n', '"whatever"'],
    ['<!-- newcomer: skip -->\n```sh\nls\n```\n', '"skip"'],
  ])('is refused: %j', (text, why) => expect(() => stepsOf(text)).toThrow(why));
});

test('lines are wanted in their order, with others between', () => {
  const printed = ['> npm start', '  Ready: http://a:1 (b)  ', 'more', 'Done.'];
  expect(missingFrom(printed, [])).toBeUndefined();
  expect(missingFrom(printed, ['Ready: …', 'Done.'])).toBeUndefined();
  expect(missingFrom(printed, ['Ready: http://…:… (b)'])).toBeUndefined();
  expect(missingFrom(printed, ['Done.', 'Ready: …'])).toBe('Ready: …');
  expect(missingFrom(printed, ['more', 'more'])).toBe('more');
  // What is not `…` stands for itself.
  expect(missingFrom(printed, ['Done'])).toBe('Done');
  expect(missingFrom(printed, ['D.ne.'])).toBe('D.ne.');
});

test('a change is made where it fits, once', () => {
  const change = { path: 'a.ts', from: 'a\nb', to: 'a\nc' };
  expect(changed('x\na\nb\ny\n', change)).toBe('x\na\nc\ny\n');
  expect(() => changed('x\na\ny\n', change)).toThrow('a.ts has 0 times');
  expect(() => changed('a\nb\na\nb\n', change)).toThrow('a.ts has 2 times');
});

/** Of the whole project, by their paths. */
const documents = globSync('**/*.md', { cwd: root, exclude: ['**/node_modules/**', '.cache/**', 'dist/**', 'data/**', 'out/**', 'THIRD_PARTY_NOTICES.md'] })
  .sort()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** As GitHub names a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const withoutBlocks = (text: string): string => text.replaceAll(/^(`{3,})[\s\S]*?^\1$/gm, '');

describe.each(documents)('$path', ({ path, text }) => {
  test('leads only to what is there', () => {
    const broken = [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
      if (/^https?:/.test(link)) return [];
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(root, target))) return [link];
      if (anchor === undefined) return [];
      const headings = [...withoutBlocks(readFileSync(join(root, target), 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
      return headings.includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });

  test('names commands that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/\bnpm run ([a-z]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('can be followed', () => expect(() => stepsOf(text)).not.toThrow());
});
