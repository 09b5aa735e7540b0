import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import subsetFont from 'subset-font';
import { root } from './pages.ts';

/**
 * `npm run font`: makes the files of client/ui/font/ from @fontsource-variable/inter, of whose 48 kB the pages use weights from 400 to 700,
 * kerning and tabular figures. Which characters a file has is what client/ui/base.css says of it.
 */

const from = join(root, 'node_modules/@fontsource-variable/inter');
const ui = join(root, 'client/ui');

/** `U+20-22, U+A0` -> the three characters and the one. */
const charactersOf = (ranges: string): string =>
  ranges
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range
        .trim()
        .slice(2)
        .split('-')
        .map((digits) => Number.parseInt(digits, 16));
      return Array.from({ length: last - first + 1 }, (_, index) => String.fromCodePoint(first + index));
    })
    .join('');

const source = readFileSync(join(from, 'files/inter-latin-wght-normal.woff2'));
const css = readFileSync(join(ui, 'base.css'), 'utf8');
for (const [, file, ranges] of css.matchAll(/url\("(.*\.woff2)"\)[^}]*?unicode-range:([^;]*);/g)) {
  const font = await subsetFont(source, charactersOf(ranges!), {
    targetFormat: 'woff2',
    variationAxes: { wght: { min: 400, max: 700 } },
    keepFeatures: ['kern', 'tnum'],
  });
  writeFileSync(join(ui, file!), font);
  console.log(`${file}: ${font.byteLength} bytes`);
}
copyFileSync(join(from, 'LICENSE'), join(ui, 'font/LICENSE'));
