import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Loads `*.wgsl?raw` as a string in Node, as Vite does in a bundle. Import this for its effect before anything that imports a
 * kernel: hosts without Vite are the headless contributor and the benchmarks. A worker thread has to import it for itself.
 */
registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('.wgsl?raw')) return nextLoad(url, context);
    const source = readFileSync(fileURLToPath(url.slice(0, -'?raw'.length)), 'utf8');
    return { format: 'module', source: `export default ${JSON.stringify(source)};`, shortCircuit: true };
  },
});
