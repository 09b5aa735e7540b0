import { argv } from 'node:process';
import { buildPages } from './pages.ts';

/** `npm start`: builds the pages if they changed, then runs the coordinator in this process. `--https`: with TLS, for the local network. `--demo` runs scripts/demo.ts instead. */
async function start(): Promise<void> {
  const startedMs = Date.now();
  if (await buildPages()) console.log(`Pages built in ${((Date.now() - startedMs) / 1000).toFixed(1)} s.`);
  const { endOnSignals, main } = await import('../server/main.ts');
  const coordinator = await main();
  console.log(coordinator.announcement);

  endOnSignals(coordinator.close);
}

const onChain = argv.join(' ').includes(' --chain local');
const extra = argv.slice(2).filter((argument) => !['--demo', '--https'].includes(argument) && !(onChain && ['--chain', 'local'].includes(argument)));
if (extra.length > 0 || (onChain && !argv.includes('--demo'))) {
  console.error(
    `Unknown argument: ${extra.join(' ') || '--chain local without --demo'}. Known: --https, --demo, --demo --chain local. Settings are environment variables, see docs/hosting.md.`,
  );
  process.exit(2);
}
if (argv.includes('--demo') && argv.includes('--https')) {
  console.error('--https does not go with --demo, which runs on this machine alone.');
  process.exit(2);
}
try {
  if (argv.includes('--demo')) await (await import('./demo.ts')).demo(onChain);
  else {
    if (argv.includes('--https')) process.env.HTTPS = 'on';
    await start();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
