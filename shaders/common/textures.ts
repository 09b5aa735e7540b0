/** Data that kernels read with `textureLoad`: exact, and not counted among storage buffers. */

const refuseLarge = (what: string, limit: string, wanted: number, allowed: number): void => {
  if (wanted > allowed) throw new Error(`${what} needs a texture with ${limit} ${wanted}; this GPU allows ${allowed}.`);
};

/** RGBA8 texels one after the other, `row` to a row and as many rows to a layer. At least one texel is there. Throws with the numbers when they do not fit. */
export function uploadTexels(device: GPUDevice, label: string, bytes: Uint8Array<ArrayBuffer>, row: number): GPUTexture {
  const rows = Math.max(1, bytes.byteLength / (row * 4));
  const layers = Math.ceil(rows / row);
  const height = Math.min(rows, row);
  refuseLarge(label, 'width', row, device.limits.maxTextureDimension2D);
  refuseLarge(label, 'layers', layers, device.limits.maxTextureArrayLayers);
  const texture = device.createTexture({
    label,
    size: [row, height, layers],
    format: 'rgba8uint',
    usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
  });
  for (let layer = 0; layer < layers && bytes.byteLength > 0; layer++) {
    const first = layer * row;
    const count = Math.min(row, rows - first);
    const data = bytes.subarray(first * row * 4, (first + count) * row * 4);
    device.queue.writeTexture({ texture, origin: [0, 0, layer] }, data, { bytesPerRow: row * 4 }, [row, count, 1]);
  }
  return texture;
}

/** Numbers in rows of `width`. At least one is there. Throws with the numbers when they do not fit. */
export function uploadTable(
  device: GPUDevice,
  label: string,
  format: 'r32float' | 'rg32float' | 'r32uint',
  bytes: Uint8Array<ArrayBuffer>,
  width: number,
): GPUTexture {
  const rowBytes = width * (format === 'rg32float' ? 8 : 4);
  const height = Math.max(1, Math.ceil(bytes.byteLength / rowBytes));
  refuseLarge(label, 'an edge of', Math.max(width, height), device.limits.maxTextureDimension2D);
  const texture = device.createTexture({ label, size: [width, height], format, usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST });
  if (bytes.byteLength > 0) device.queue.writeTexture({ texture }, bytes, { bytesPerRow: rowBytes }, [width, height]);
  return texture;
}
