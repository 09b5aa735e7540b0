import { Document } from '@gltf-transform/core';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImages } from './images.ts';

const decode = async (file: Promise<Buffer> | Buffer) => (await decodeImages([new Document().createTexture().setImage(new Uint8Array(await file))]))[0]!;
/** Left red, right blue; two rows, the lower one darker. */
const pixels = Uint8Array.of(255, 0, 0, 0, 0, 255, 128, 0, 0, 0, 0, 128);
const source = () => sharp(pixels, { raw: { width: 2, height: 2, channels: 3 } });
const texels = [255, 0, 0, 255, 0, 0, 255, 255, 128, 0, 0, 255, 0, 0, 128, 255];

test.each([
  ['PNG', () => source().png()],
  ['PNG with a palette', () => source().png({ palette: true })],
  ['lossless WebP', () => source().webp({ lossless: true })],
])('%s: rows from the top, opaque alpha added', async (_, file) => {
  const image = await decode(file().toBuffer());
  expect([image.width, image.height]).toEqual([2, 2]);
  expect([...image.texels]).toEqual(texels);
});

test('JPEG, nearly', async () => {
  const image = await decode(source().resize(32, 32, { kernel: 'nearest' }).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer());
  expect([image.width, image.height, image.texels.length]).toEqual([32, 32, 4096]);
  const near = (x: number, y: number) => [...image.texels.subarray((y * 32 + x) * 4, (y * 32 + x) * 4 + 4)].map((value) => Math.round(value / 16));
  expect([near(4, 4), near(28, 4), near(4, 28)]).toEqual([
    [16, 0, 0, 16],
    [0, 0, 16, 16],
    [8, 0, 0, 16],
  ]);
});

test('alpha is kept straight', async () => {
  const file = sharp(Uint8Array.of(200, 100, 50, 51), { raw: { width: 1, height: 1, channels: 4 } }).png();
  expect([...(await decode(file.toBuffer())).texels]).toEqual([200, 100, 50, 51]);
});

test('grey and 16 bit become four bytes a texel', async () => {
  const grey = sharp(Uint8Array.of(77), { raw: { width: 1, height: 1, channels: 1 } })
    .toColourspace('b-w')
    .png();
  expect([...(await decode(grey.toBuffer())).texels]).toEqual([77, 77, 77, 255]);
  const deep = sharp(Uint16Array.of(0x8040, 0x1000, 0xffff), { raw: { width: 1, height: 1, channels: 3 } })
    .toColourspace('rgb16')
    .png();
  const [red, green, blue, alpha] = (await decode(deep.toBuffer())).texels;
  expect([red, green, blue, alpha]).toEqual([0x80, 0x10, 0xff, 255]);
});

test('a colour profile and an orientation change nothing', async () => {
  const turned = source().png().withMetadata({ orientation: 6 }).withIccProfile('p3', { attach: true });
  const plain = await decode(source().png().withMetadata({ orientation: 6 }).toBuffer());
  expect([...plain.texels]).toEqual(texels);
  const file = await turned.toBuffer();
  // What the file itself says, without its profile.
  const raw = await sharp(file, { ignoreIcc: true }).ensureAlpha().raw().toBuffer();
  expect([...(await decode(file)).texels]).toEqual([...raw]);
});
