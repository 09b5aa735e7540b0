import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Adversary } from './adversary.ts';
import { kinds } from './kinds/index.ts';
import { policies } from './policies.ts';
import { type SimReport, simDefaults, simulate } from './simulate.ts';

const usage = `npm run sim -- [options]: a world of simulated contributors around the real core (server/sim/README.md)
  --policy NAME        ${Object.keys(policies).join(', ')} (${simDefaults.policy})
  --kind KIND          how liars lie: ${Object.keys(kinds).join(', ')} (always)
  --adversary FILE     a module that exports \`adversary\` (server/sim/adversary.ts), instead of --kind
  --liars SHARE        of the contributors (${simDefaults.liars})
  --contributors N     who come in the course of the run (${simDefaults.contributors})
  --hours H            of virtual time (${simDefaults.hours})
  --trusted SHARE      of the capacity that the operator's own contributors have; 0 for none (${simDefaults.trusted})
  --target ERROR       share of wrong elements that jobs order (${simDefaults.targetError})
  --seed S             (${simDefaults.seed})
  --json`;

class UsageError extends Error {}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`--${name} takes a number, not "${text}"`);
  return value;
}

async function load(file: string): Promise<Adversary> {
  const path = resolve(file);
  const module = (await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new UsageError(`${path} cannot be loaded: ${error instanceof Error ? error.message : error}`);
  })) as { adversary?: Adversary };
  if (typeof module.adversary?.begin !== 'function' || typeof module.adversary.title !== 'string')
    throw new UsageError(`${path} exports no \`adversary\` with \`title\` and \`begin\``);
  return module.adversary;
}

async function adversaryOf(kind: string | undefined, file: string | undefined): Promise<Adversary> {
  if (file !== undefined && kind !== undefined) throw new UsageError('--kind and --adversary exclude each other');
  if (file !== undefined) return load(file);
  const adversary = kinds[kind ?? 'always'];
  if (!adversary) throw new UsageError(`there is no kind ${kind}`);
  return adversary;
}

function parse() {
  const { policy, seed, contributors, liars, hours, trusted, targetError } = simDefaults;
  const text = (value: string | number) => ({ type: 'string', default: String(value) }) as const;
  try {
    return parseArgs({
      options: {
        policy: text(policy),
        seed: text(seed),
        contributors: text(contributors),
        liars: text(liars),
        hours: text(hours),
        trusted: text(trusted),
        target: text(targetError),
        kind: { type: 'string' },
        adversary: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** For people: one figure a line. */
export function table(report: SimReport): string {
  const show = (value: unknown): string => {
    if (typeof value === 'number') return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
    if (value === null || typeof value !== 'object') return String(value ?? 'none');
    return Object.entries(value)
      .map(([name, each]) => `${name} ${show(each)}`)
      .join(' · ');
  };
  return Object.entries(report)
    .map(([name, value]) => `${name.padEnd(24)}${show(value)}`)
    .join('\n');
}

async function main(): Promise<void> {
  const values = parse();
  if (values.help) {
    console.log(usage);
    return;
  }
  const report = simulate({
    policy: values.policy,
    adversary: await adversaryOf(values.kind, values.adversary),
    seed: numberOf('seed', values.seed),
    contributors: numberOf('contributors', values.contributors),
    liars: numberOf('liars', values.liars),
    hours: numberOf('hours', values.hours),
    trusted: numberOf('trusted', values.trusted),
    targetError: numberOf('target', values.target),
  });
  console.log(values.json ? JSON.stringify(report) : table(report));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RangeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}
