import type { Page } from 'playwright';

/**
 * Ways of lying, as code for the engine's worker: `lie(words, memory)` changes what the GPU computed, in place. The words are u32, four a
 * pixel, one part after the other; `memory` is an object of the page's own that is kept from tile to tile.
 */
export const lies = {
  'nothing computed': 'words.fill(0);',
  'two percent brighter': 'for (let at = 0; at < words.length; at++) words[at] = words[at] * 1.02;',
  'a patch painted over': 'for (let at = 0; at < words.length; at++) if ((at >> 2) % 16 < 10 && ((at >> 6) % 16) < 10) words[at] = 5000;',
  'computed with less precision': 'for (let at = 0; at < words.length; at++) words[at] = words[at] & ~1023;',
  'copied from an earlier tile': 'if (memory.words?.length === words.length) words.set(memory.words); else memory.words = words.slice();',
} as const;
export type Lie = keyof typeof lies;

/** Every worker that this page starts from now on reads changed numbers back from its GPU, as by an extension of the browser. The engine is not told. */
export function patchEngine(page: Page, lie: Lie): void {
  const patch = `{
    const memory = {};
    const read = GPUBuffer.prototype.getMappedRange;
    GPUBuffer.prototype.getMappedRange = function (...range) {
      const bytes = read.apply(this, range);
      if (this.usage & GPUBufferUsage.MAP_READ) ((words, memory) => { ${lies[lie]} })(new Uint32Array(bytes), memory);
      return bytes;
    };
  }`;
  page.on('worker', (worker) => void worker.evaluate(patch));
}
