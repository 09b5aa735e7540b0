import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../shared/limits.ts';
import { drills } from './drill.ts';
import { readOptions, UsageError } from './options.ts';
import { untar } from './software-driver.ts';

describe('a drill', () => {
  it.each(Object.entries(drills))('changes most of what it should: %s', (_name, lie) => {
    const words = Uint32Array.from({ length: 1024 }, (_, index) => 1_000_001 + index * 999);
    const before = words.slice();
    lie(words);
    expect(words.filter((word, index) => word !== before[index]).length).toBeGreaterThanOrEqual(128);
  });
});

describe('arguments', () => {
  it('have defaults', () =>
    expect(readOptions(['--url', 'https://tessera.example/anything'])).toEqual({
      origin: 'https://tessera.example',
      tiles: null,
      powerPercent: 100,
      hours: '',
      downloadBytesMax: 256 * MIB,
      json: false,
      adapter: 'auto',
      identity: null,
      trusted: null,
      drill: null,
    }));

  it('are read', () =>
    expect(
      readOptions([
        '--url=http://localhost:8080',
        '--tiles',
        '3',
        '--power',
        '25',
        '--hours',
        '22:30-7, 12-13',
        '--download-max',
        '1024',
        '--json',
        '--adapter',
        'software',
        '--trusted',
        'k'.repeat(40),
        '--drill',
        'patch',
      ]),
    ).toEqual({
      origin: 'http://localhost:8080',
      tiles: 3,
      powerPercent: 25,
      hours: '22:30-7, 12-13',
      downloadBytesMax: 1024 * MIB,
      json: true,
      adapter: 'software',
      identity: null,
      trusted: 'k'.repeat(40),
      drill: 'patch',
    }));

  it('take the operator’s key from a file, without the line’s end', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tessera-key-'));
    try {
      await writeFile(join(folder, 'key'), 'the-key\n');
      expect(readOptions(['--url', 'http://a', '--trusted', `@${join(folder, 'key')}`])).toMatchObject({ trusted: 'the-key' });
      expect(() => readOptions(['--url', 'http://a', '--trusted', `@${join(folder, 'none')}`])).toThrow('cannot be read');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that are refused never show the key', () => {
    const key = 'secret'.repeat(40);
    const complaint = (args: readonly string[]): string => {
      try {
        readOptions(args);
      } catch (error) {
        return String(error);
      }
      return 'nothing was refused';
    };
    expect(complaint(['--url', 'http://a', '--trusted', key])).toContain('--trusted is a key of 1 to 200 characters');
    expect(complaint(['--url', 'http://a', '--trusted', 'secret', '--adapter', 'chromium'])).toContain('does not go with --adapter chromium');
    for (const args of [
      ['--trusted', key],
      ['--trusted=secret', '--adapter', 'chromium'],
      ['--trusted', 'secret', '--power', '4'],
    ])
      expect(complaint(['--url', 'http://a', ...args])).not.toContain('secret');
  });

  it('help', () => expect(readOptions(['--help'])).toBe('help'));

  it.each([
    [[], '--url is missing'],
    [['--url', 'tessera.example'], 'http or https'],
    [['--url', 'ftp://tessera.example'], 'http or https'],
    [['--url', 'http://a', '--tiles', '0'], '--tiles is a whole number'],
    [['--url', 'http://a', '--power', '4'], 'from 5 to 100'],
    [['--url', 'http://a', '--power', '101'], '--power is a whole number from 5 to 100, not 101'],
    [['--url', 'http://a', '--hours', '25-3'], '--hours is not 25-3. Hours are ranges such as 22-7'],
    [['--url', 'http://a', '--adapter', 'abacus'], 'auto, gpu, software, chromium'],
    [['--url', 'http://a', '--trusted', ''], '--trusted is a key'],
    [['--url', 'http://a', '--drill', 'patch'], 'needs the operator’s key'],
    [['--url', 'http://a', '--trusted', 'k', '--drill', 'poison'], 'nothing, brighter, patch, coarse'],
    [['--url', 'http://a', '--gpu'], '--gpu'],
  ])('%j is refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(message);
  });
});

/** A ustar archive of one entry, by the layout of POSIX.1-1988. */
function tarOf(name: string, kind: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(content.byteLength.toString(8).padStart(11, '0'), 124);
  header.write(kind, 156);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.byteLength % 512)) % 512)]);
}

describe('untar', () => {
  it('reads files and skips the rest', () => {
    const archive = Buffer.concat([tarOf('./folder/', '5', Buffer.alloc(0)), tarOf('./a', '0', Buffer.from('one')), tarOf('b', '0', Buffer.alloc(600, 7))]);
    const files = untar(Buffer.concat([archive, Buffer.alloc(1024)]));
    expect([...files.keys()]).toEqual(['a', 'b']);
    expect(files.get('a')?.toString()).toBe('one');
    expect(files.get('b')).toEqual(Buffer.alloc(600, 7));
  });

  it('refuses an archive that was cut off', () => {
    expect(() => untar(tarOf('a', '0', Buffer.alloc(600)).subarray(0, 900))).toThrow('damaged');
  });
});

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Here the driver has to be there: npm leaves out an optional package in silence when its `engines` do not name the Node that installs. */
const hasDriver = process.platform === 'linux' && process.arch === 'x64';

describe('the command', () => {
  it.skipIf(!hasDriver)('computes in software on a machine with neither a GPU nor a Vulkan loader, and says so', async () => {
    const { VK_ICD_FILENAMES: _icd, VK_DRIVER_FILES: _driver, LD_LIBRARY_PATH: _libraries, ...env } = process.env;
    const url = `http://127.0.0.1:${await closedPort()}`;
    const child = spawn(process.execPath, [join(import.meta.dirname, '../headless.ts'), '--url', url, '--adapter', 'software'], { env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    const [code] = await once(child, 'close');
    expect(output).toMatch(/Adapter: google swiftshader .* through Dawn in Node/);
    expect(output).toContain(`The coordinator at ${url} does not answer: connect ECONNREFUSED`);
    expect(code).toBe(1);
  });
});
