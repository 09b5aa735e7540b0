/** What a kernel needs of a device, checked before anything is uploaded. Throws an `Error` with both numbers. */
export function requireStorageBuffers(device: GPUDevice, count: number): void {
  const available = device.limits.maxStorageBuffersPerShaderStage;
  if (available < count) throw new Error(`This kernel binds ${count} storage buffers; the GPU allows ${available}.`);
}

/** Throws an `Error` with both numbers when the device cannot bind that much as one storage buffer. */
export function requireBinding(device: GPUDevice, label: string, bytes: number): void {
  const most = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  if (bytes > most) throw new Error(`${label} takes ${bytes} bytes; this GPU binds at most ${most}.`);
}

/**
 * A read-only storage buffer holding `bytes`, a whole number of `stride`s. An empty array becomes one element of zeros, because a
 * binding cannot be empty. Throws with both numbers when the device cannot bind that much.
 */
export function uploadStorage(device: GPUDevice, label: string, bytes: Uint8Array<ArrayBuffer>, stride: number): GPUBuffer {
  const size = Math.max(bytes.byteLength, stride);
  requireBinding(device, label, size);
  const buffer = device.createBuffer({ label, size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/** A uniform buffer holding `bytes`. */
export function uploadUniform(device: GPUDevice, label: string, bytes: Uint8Array<ArrayBuffer>): GPUBuffer {
  const buffer = device.createBuffer({ label, size: bytes.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
