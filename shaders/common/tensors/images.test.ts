import sharp from 'sharp';
import { expect, it } from 'vitest';
import { decodeImage, imageSize } from './images.ts';

const draw = (width: number, height: number, channels: 3 | 4 = 3, background: object = { r: 200, g: 100, b: 50 }) =>
  sharp({ create: { width, height, channels, background } });
const bytesOf = async (image: ReturnType<typeof draw>, format: 'png' | 'jpeg' | 'webp' | 'tiff'): Promise<Uint8Array> =>
  new Uint8Array(await image.toFormat(format).toBuffer());

it('pictures of three kinds are red, green and blue, whatever they were', async () => {
  for (const format of ['png', 'webp'] as const) {
    const { width, height, rgb } = await decodeImage('image', await bytesOf(draw(3, 2), format), 'a');
    expect([width, height]).toEqual([3, 2]);
    if (format === 'png') expect([...rgb.subarray(0, 6)]).toEqual([200, 100, 50, 200, 100, 50]);
  }
  const grey = new Uint8Array(await draw(3, 2).greyscale().png().toBuffer());
  const { rgb } = await decodeImage('image', grey, 'a');
  expect(rgb).toHaveLength(18);
  expect(rgb[0]).toBe(rgb[1]);
});

it('what is transparent lies on white, and a picture on its side is upright', async () => {
  const clear = await bytesOf(draw(2, 2, 4, { r: 0, g: 0, b: 0, alpha: 0 }), 'png');
  expect((await decodeImage('image', clear, 'a')).rgb[0]).toBe(255);
  const lying = new Uint8Array(await draw(4, 2).withMetadata({ orientation: 6 }).jpeg().toBuffer());
  expect(await imageSize('image', lying, 'a')).toEqual({ width: 2, height: 4 });
  expect(await decodeImage('image', lying, 'a')).toMatchObject({ width: 2, height: 4 });
});

it('fits another size by its middle, stretched, or between bars', async () => {
  const half = await sharp({ create: { width: 8, height: 4, channels: 3, background: '#fff' } })
    .composite([{ input: { create: { width: 2, height: 4, channels: 3, background: '#f00' } }, left: 0, top: 0 }])
    .png()
    .toBuffer();
  const at = async (fitting: 'crop' | 'stretch' | 'bars') => (await decodeImage('image', new Uint8Array(half), 'a', { width: 4, height: 4, fitting })).rgb;
  expect([...(await at('crop')).subarray(0, 3)]).toEqual([255, 255, 255]);
  expect((await at('stretch'))[1]).toBeLessThan(60);
  expect([...(await at('bars')).subarray(0, 3)]).toEqual([0, 0, 0]);
});

it('cuts the middle out of a picture whose shorter side has a given size, as torchvision does', async () => {
  // Red counts columns and green rows of the upright picture, 60 x 20.
  const ramp = Uint8Array.from({ length: 60 * 20 * 3 }, (_, at) => [Math.floor(at / 3) % 60, Math.floor(at / 180), 0][at % 3]! * 4);
  const upright = sharp(ramp, { raw: { width: 60, height: 20, channels: 3 } });
  const lying = upright.clone().rotate(270).png().withMetadata({ orientation: 6 });
  const to = { width: 9, height: 8, fitting: 'crop', shorterPixels: 20 } as const;
  for (const image of [upright.clone().png(), lying]) {
    const { rgb, ...size } = await decodeImage('image', new Uint8Array(await image.toBuffer()), 'a', to);
    expect(size).toEqual({ width: 9, height: 8 });
    // (60 - 9) / 2 rounds to 26, and (20 - 8) / 2 is 6.
    expect([...rgb.subarray(0, 2), ...rgb.subarray(-3, -1)]).toEqual([26 * 4, 6 * 4, 34 * 4, 13 * 4]);
  }
  const halved = await decodeImage('image', new Uint8Array(await upright.clone().png().toBuffer()), 'a', { ...to, shorterPixels: 10 });
  expect(Math.abs(halved.rgb[0]! - (10 * 2 + 0.5) * 4)).toBeLessThanOrEqual(1);
  await expect(decodeImage('image', new Uint8Array(await upright.png().toBuffer()), 'a', { ...to, shorterPixels: 8 })).rejects.toThrow(RangeError);
});

it('bombs, other formats and damaged ones are refused with the numbers', async () => {
  const [png, tiff] = [await bytesOf(draw(64, 64), 'png'), await bytesOf(draw(4, 4), 'tiff')];
  const refusals: readonly (readonly [() => Promise<unknown>, string, string])[] = [
    [() => decodeImage('image', png, 'big.png', null, 1000), 'big.png has 64 x 64 pixels', 'at most 1000 pixels'],
    [() => decodeImage('image', tiff, 'a.tiff'), 'no picture that can be read', 'PNG, JPEG or WebP'],
    [() => decodeImage('image', new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'a.svg'), 'no picture', 'PNG'],
    [() => decodeImage('image', png.subarray(0, 60), 'cut.png'), 'cut.png is damaged', 'whole'],
    [() => decodeImage('image', Uint8Array.of(0x89, 0x50, 0x4e, 0x47), 'head.png'), 'damaged', 'whole'],
    [() => imageSize('image', new Uint8Array(), 'none'), 'no picture', 'PNG'],
  ];
  for (const [refused, message, limit] of refusals)
    await expect(refused()).rejects.toMatchObject({
      name: 'InputError',
      field: 'image',
      message: expect.stringContaining(message),
      limit: expect.stringContaining(limit),
    });
});
