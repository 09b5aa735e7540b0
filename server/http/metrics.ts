import { timingSafeEqual } from 'node:crypto';
import { realpathSync } from 'node:fs';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SECOND_MS } from '../../shared/limits.ts';
import type { AuditingBooks } from '../auditing-books.ts';
import type { ProvedUnit } from '../books.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import { digestOf } from './session.ts';

/** Figures for who runs the machine, in Prometheus's text format (prometheus.io, "Exposition formats", 0.0.4). */

export interface MetricsDeps {
  readonly auditingBooks: Pick<AuditingBooks, 'proved'>;
  /** All other figures. */
  readonly metrics: Pick<Metrics, 'text'>;
  readonly config: Pick<Config, 'metricsToken'>;
  readonly dataDir: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Figure {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Empty: not known yet. */
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: bigint | number }[];
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The line by which a coordinator tells that it is the one of this folder. */
export const infoLine = (dataDir: string): string => `tessera_info${labelText({ folder: realpathSync(dataDir) })} 1`;

const textOf = ({ name, type, help, values }: Figure): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}`), ''].join('\n');

function figuresOf({ auditingBooks: { proved }, clock }: MetricsDeps): Figure[] {
  const byUnit = (read: (unit: ProvedUnit) => bigint | number) => (proved?.units ?? []).map((each) => ({ labels: { unit: each.unit }, value: read(each) }));
  const gauge = 'gauge' as const;
  return [
    {
      name: 'tessera_ledger_imbalance',
      type: gauge,
      help: 'By how much stored sums differ from those of all transfers, in micro-credits or base units of tokens; must be 0.',
      values: byUnit(({ imbalance }) => imbalance),
    },
    {
      name: 'tessera_ledger_wrong_accounts',
      type: gauge,
      help: 'Accounts that differ, owe and may not, or have a pending transfer that was ended wrongly; must be 0.',
      values: byUnit(({ wrongAccounts }) => wrongAccounts),
    },
    { name: 'tessera_ledger_transfers_total', type: 'counter', help: 'Transfers in the last audit.', values: byUnit(({ transfers }) => transfers) },
    {
      name: 'tessera_ledger_audited_seconds',
      type: gauge,
      help: 'Age of the last complete audit.',
      values: proved ? [{ value: (clock() - proved.atMs) / SECOND_MS }] : [],
    },
  ];
}

const loopback = /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/;
/** A name of this machine for itself. A page whose domain was pointed at 127.0.0.1 (DNS rebinding) asks under that domain. */
const ownHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
/** What proxies add: then somebody else asks, from wherever. */
const forwarded = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'] as const;

/** The connection's own address, which `trustProxy` does not change. */
export const isFromHere = ({ socket, headers }: FastifyRequest): boolean =>
  loopback.test(socket.remoteAddress ?? '') && ownHost.test(headers.host ?? '') && forwarded.every((name) => headers[name] === undefined);

/** Whether it brings the operator's token. Digests are compared, so that the time it takes tells nothing. */
function bringsToken({ metricsToken }: MetricsDeps['config'], { headers }: FastifyRequest): boolean {
  const given = /^Bearer (.{1,200})$/i.exec(headers.authorization ?? '')?.[1];
  return metricsToken !== null && given !== undefined && timingSafeEqual(digestOf(Buffer.from(metricsToken)), digestOf(Buffer.from(given)));
}

/** Asked from elsewhere without the token it is not there. */
export const metricsRoutes =
  (deps: MetricsDeps) =>
  async (app: FastifyInstance): Promise<void> => {
    const info = `# HELP tessera_info Whose figures these are.\n# TYPE tessera_info gauge\n${infoLine(deps.dataDir)}\n`;
    app.get('/metrics', { config: { always: true, ownBearer: true } }, async (request, reply) => {
      if (!isFromHere(request) && !bringsToken(deps.config, request)) return reply.callNotFound();
      const ledger = figuresOf(deps).map(textOf).join('');
      return reply
        .type(TYPE)
        .header('cache-control', 'no-store')
        .send(`${info}${ledger}${await deps.metrics.text()}`);
    });
  };
