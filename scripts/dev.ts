import { join } from 'node:path';
import { createServer, type Plugin } from 'vite';
import { startChild } from './child.ts';
import { root } from './pages.ts';

/**
 * `npm run dev`: pages with hot reload on 5173, and a coordinator on 8080 (or PORT) that restarts when its sources change.
 * The pages' server passes everything that is not a page on to the coordinator.
 */

const pagesPort = 5173;
const pagesUrl = `http://localhost:${pagesPort}`;
const coordinatorPort = Number(process.env.PORT ?? 8080);
const coordinatorUrl = `http://127.0.0.1:${coordinatorPort}`;

/** The coordinator serves the widget's files under names of its own; here they are sources. */
const widgetNames: Readonly<Record<string, string>> = {
  '/widget.js': '/widget/loader.ts',
  '/widget/frame': '/widget/frame.html',
  '/widget/consent': '/widget/consent.html',
};

const widgetRoutes: Plugin = {
  name: 'tessera:widget-routes',
  configureServer(server) {
    server.middlewares.use((request, _response, next) => {
      const [path = '', query] = (request.url ?? '').split('?');
      const source = widgetNames[path];
      if (source) request.url = query === undefined ? source : `${source}?${query}`;
      next();
    });
  },
};

const coordinator = startChild(process.execPath, ['--watch', '--watch-preserve-output', 'server/main.ts'], {
  cwd: root,
  // Mutating requests come from the pages' origin.
  env: { HOST: '127.0.0.1', ...process.env, PORT: String(coordinatorPort), PUBLIC_ORIGIN: pagesUrl },
  onLine: (line) => console.log(`[coordinator] ${line}`),
  onErrorLine: (line) => console.error(`[coordinator] ${line}`),
});

const vite = await createServer({
  configFile: join(root, 'vite.config.ts'),
  plugins: [widgetRoutes],
  server: {
    port: pagesPort,
    strictPort: true,
    proxy: {
      '/api': { target: coordinatorUrl },
      '/blobs': { target: coordinatorUrl },
      '/healthz': { target: coordinatorUrl },
      '/socket.io': { target: coordinatorUrl, ws: true },
    },
  },
});

let stopping = false;
async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  await Promise.all([vite.close(), coordinator.stop()]);
  process.exit(code);
}
process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));
coordinator.exited.then((code) => {
  if (!stopping) console.error(`The coordinator’s watcher ended with ${code ?? 'a signal'}.`);
  return stop(1);
});

try {
  await vite.listen();
  console.log(`Pages with hot reload: ${pagesUrl}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  await stop(1);
}
