import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './pages.ts';

/**
 * Writes THIRD_PARTY_NOTICES.md: every package that an installation for production may contain, on any platform, as
 * package-lock.json names them, with the licence texts of those that every platform installs.
 * `--check` compares the list with the lock file, which needs no installed packages and gives the same answer everywhere.
 */

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

interface Manifest {
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly (string | { readonly type?: string })[];
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Where it is installed, from the root. */
  readonly folder: string;
  readonly platformOnly: boolean;
}

const noticesPath = join(root, 'THIRD_PARTY_NOTICES.md');

/** Packages that state their licence in a file only: which one that file holds. */
const licenceByFile: Readonly<Record<string, string>> = { 'text-encoding-utf-8': 'Unlicense' };

function licenceOf(name: string, folder: string, entry: LockEntry): string {
  if (entry.license) return entry.license;
  const path = join(root, folder, 'package.json');
  const manifest: Manifest = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Manifest) : {};
  const stated = [manifest.license ?? manifest.licenses ?? []].flat().map((each) => (typeof each === 'string' ? each : each.type));
  const licence = stated.filter(Boolean).join(' OR ') || licenceByFile[name];
  if (!licence) throw new Error(`${name} states no licence; look at ${folder} and add it to scripts/notices.ts`);
  return licence;
}

/** Production packages of a lock file (version 3), one per name and version, sorted. */
export function productionPackages(lock: { readonly packages: Readonly<Record<string, LockEntry>> }): Package[] {
  const found = new Map<string, Package>();
  for (const [folder, entry] of Object.entries(lock.packages)) {
    if (folder === '' || entry.dev || !entry.version) continue;
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const key = `${name} ${entry.version}`;
    if (!found.has(key))
      found.set(key, { name, version: entry.version, licence: licenceOf(name, folder, entry), folder, platformOnly: Boolean(entry.os || entry.cpu) });
  }
  return [...found.values()].sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

/** The part of the file that follows from the lock file alone. */
export function renderList(packages: readonly Package[]): string {
  return [
    '# Third-party notices',
    '',
    'Tessera itself is licensed under Apache-2.0 (LICENSE). An installation contains the packages below, some of them only on',
    'some platforms. Written by `npm run notices` from package-lock.json and the installed packages.',
    '',
    '| Package | Version | Licence |',
    '|---|---|---|',
    ...packages.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`),
    '',
  ].join('\n');
}

/** The licence and notice files of an installed package, joined; null where it has none or is not installed. */
function licenceText({ folder }: Package): string | null {
  const path = join(root, folder);
  if (!existsSync(path)) return null;
  const files = readdirSync(path).filter((file) => /^(licen[cs]e|copying|notice|unlicense)/i.test(file) && !/\.(js|ts|json)$/.test(file));
  const texts = files.sort().map((file) =>
    readFileSync(join(path, file), 'utf8')
      .replaceAll('\r\n', '\n')
      .replace(/[ \t]+$/gm, '')
      .trim(),
  );
  return texts.length > 0 ? texts.join('\n\n') : null;
}

const copyrightLine = /^\W*(copyright|\(c\)|©).*(\d{4}|\(c\)|©)/i;

/** Texts that differ in their copyright lines only are printed once, below the packages and copyright lines they belong to. */
export function renderTexts(entries: readonly { readonly title: string; readonly text: string }[]): string {
  const byBody = new Map<string, { owners: string[]; body: string }>();
  for (const { title, text } of entries) {
    const lines = text.split('\n');
    const body = lines
      .filter((line) => !copyrightLine.test(line))
      .join('\n')
      .trim();
    const key = createHash('sha256')
      .update(
        body
          .replace(/^(the )?mit licen[cs]e( \(mit\))?/i, '')
          .replace(/\W+/g, ' ')
          .trim()
          .toLowerCase(),
      )
      .digest('hex');
    const group = byBody.get(key) ?? { owners: [], body };
    group.owners.push([title, ...lines.filter((line) => copyrightLine.test(line)).map((line) => `  ${line.trim()}`)].join('\n'));
    byBody.set(key, group);
  }
  const blocks = [...byBody.values()].map(({ owners, body }, index) => `## Text ${index + 1}\n\n~~~text\n${owners.join('\n')}\n\n${body}\n~~~\n`);
  return `\n${blocks.join('\n')}`;
}

function generate(packages: readonly Package[]): string {
  const everywhere = packages.filter(({ platformOnly }) => !platformOnly);
  const entries = everywhere.flatMap((each) => {
    const text = licenceText(each);
    return text ? [{ title: `${each.name} ${each.version}`, text }] : [];
  });
  return renderList(packages) + renderTexts(entries);
}

if (import.meta.main) {
  const packages = productionPackages(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
  if (process.argv.includes('--check')) {
    const current = existsSync(noticesPath) ? readFileSync(noticesPath, 'utf8') : '';
    if (!current.startsWith(`${renderList(packages)}\n`)) {
      console.error('THIRD_PARTY_NOTICES.md does not list what package-lock.json names. Run `npm run notices` and commit the file.');
      process.exitCode = 1;
    }
  } else {
    writeFileSync(noticesPath, generate(packages));
    console.log(`THIRD_PARTY_NOTICES.md: ${packages.length} packages.`);
  }
}
