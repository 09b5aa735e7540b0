import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { workloadIds } from '../shaders/registry.ts';
import type { GroupId } from '../shared/model.ts';
import type { Challenge, ConsentGrant, GroupView, MadeApiKey, MadeInvite, MadeWebhook, SiteView } from '../shared/schemas.ts';
import { operatorOf, storeJob, withOperatorApp } from './http/operator.testing.ts';
import { credentialOf, type Method, type Reply, type TestApp, Visitor } from './http/testing.ts';
import { makeLink } from './operator-link.ts';
import { TestWallet } from './solana.testing.ts';
import { contributorIdOf, exampleContributor, exampleSite, exampleTransfer, jobIdOf, siteIdOf } from './store/testing.ts';

/** The table "Who may do what" of README.md, walked cell by cell against the real routes. */

const roles = ['guest', 'contributor', 'requester', 'site owner', 'operator'] as const;
type Role = (typeof roles)[number];
type Cell = 'yes' | 'no' | 'own';

/** Rows of the first table of the README's section. */
function table(): Map<string, readonly Cell[]> {
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  const rows = new Map<string, readonly Cell[]>();
  for (const line of readme.slice(readme.indexOf('| Route |')).split('\n')) {
    if (!line.startsWith('|')) break;
    const [route = '', ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (/^(GET|POST|PUT|DELETE) /.test(route)) rows.set(route, cells as Cell[]);
  }
  return rows;
}

/** Somebody in a role, with what is his. */
interface Actor {
  readonly visitor: Visitor;
  readonly credential: Readonly<Record<string, string>>;
  readonly grant: ConsentGrant | undefined;
  readonly site: SiteView | undefined;
}

async function actor(test: TestApp, role: Role): Promise<Actor> {
  const visitor = new Visitor(test);
  if (role === 'guest') return { visitor, credential: {}, grant: undefined, site: undefined };
  if (role === 'operator') return { visitor, credential: { cookie: (await operatorOf(test)).cookie ?? '' }, grant: undefined, site: undefined };
  if (role === 'contributor') {
    const grant = await visitor.consent();
    visitor.cookie = undefined;
    return { visitor, credential: credentialOf(grant), grant, site: undefined };
  }
  const owner = await visitor.start();
  await test.store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: `earned/${owner}`, credit: `${owner}/earned`, microCredits: 5n }) }]);
  const site = role === 'site owner' ? await visitor.site() : undefined;
  return { visitor, credential: {}, grant: await visitor.consent(), site };
}

interface Probe {
  /** The request as this actor sends it, about what is his own where the route is about something. */
  own(actor: Actor, other: Actor, test: TestApp): Promise<Reply<unknown>>;
  /** For `own` cells: what he sees is free of the other's, or his try at the other's is refused. */
  foreign?(actor: Actor, other: Actor, own: Reply<unknown>, test: TestApp): Promise<void>;
}

const plain = (method: Method, url: string, payload?: () => object): Probe => ({
  own: ({ visitor, credential }) => visitor.ask(method, url, payload?.(), credential),
});

/** The answer names nothing that belongs to the other. */
const free = (url: string): Probe => ({
  own: ({ visitor, credential }) => visitor.ask('GET', url, undefined, credential),
  async foreign(_actor, other, own) {
    const names = [other.grant?.consent.id, other.grant?.contributor.id, other.site?.id, other.visitor.cookie].filter((name) => name !== undefined);
    const theirOwner = (await other.visitor.ask<{ owner?: string }>('GET', '/api/account')).body.owner;
    for (const name of [...names, theirOwner].filter((each) => each !== undefined)) expect(own.text).not.toContain(name);
  },
});

/** A group of this actor's; the id of nobody's where he may not make one. */
async function groupOf({ visitor, credential }: Actor): Promise<string> {
  return (await visitor.ask<Partial<GroupView>>('POST', '/api/groups', { name: 'Studio' }, credential)).body.id ?? 'g_AAAAAAAAAAAAAAAA';
}
/** An API key of this actor's; the id of nobody's where he may not make one. */
async function keyOf({ visitor, credential }: Actor): Promise<string> {
  const made = await visitor.ask<Partial<MadeApiKey>>('POST', '/api/keys', { name: 'Farm', scopes: ['jobs:read'] }, credential);
  return made.body.id ?? `tk_${'A'.repeat(16)}`;
}
const inviteInto = async ({ visitor, credential }: Actor, group: string): Promise<Partial<MadeInvite>> =>
  (await visitor.ask<Partial<MadeInvite>>('POST', `/api/groups/${group}/invites`, {}, credential)).body;

/** About a group: one's own, and as foreign one of the other's. */
const aboutGroup = (method: Method, path: (actor: Actor, group: string) => Promise<string> | string, payload?: object): Probe => {
  const ask = async ({ visitor, credential }: Actor, owner: Actor, group: string) =>
    visitor.ask(method, `/api/groups/${group}${await path(owner, group)}`, payload, credential);
  return {
    own: async (self) => ask(self, self, await groupOf(self)),
    foreign: async (self, other) => refused(await ask(self, other, await groupOf(other))),
  };
};

/** Somebody else who has joined. */
async function memberOf(test: TestApp, owner: Actor, group: string): Promise<string> {
  const guest = new Visitor(test);
  await guest.start();
  await guest.ask('POST', '/api/invites/join', { code: (await inviteInto(owner, group)).code ?? '' });
  return (await test.store.groups.members(group as GroupId)).at(-1)?.id ?? 'm_AAAAAAAAAAAAAAAA';
}

/** A webhook of this actor's; the id of nobody's where he may not make one. */
async function webhookOf({ visitor, credential }: Actor): Promise<string> {
  const request = { url: 'http://localhost:60001/hook', events: ['job.done'] };
  return (await visitor.ask<Partial<MadeWebhook>>('POST', '/api/webhooks', request, credential)).body.id ?? 'wh_AAAAAAAAAAAAAAAA';
}
const aboutWebhook = (method: Method, path = ''): Probe => {
  const ask = ({ visitor, credential }: Actor, webhook: string) => visitor.ask(method, `/api/webhooks/${webhook}${path}`, undefined, credential);
  return {
    own: async (self) => ask(self, await webhookOf(self)),
    foreign: async (self, other) => refused(await ask(self, await webhookOf(other))),
  };
};

const refused = ({ status }: Reply<unknown>, by?: Role): void => expect([401, 403, 404], by).toContain(status);

async function answerTo(asking: Actor, signing: Actor): Promise<Reply<unknown>> {
  const wallet = new TestWallet();
  const made = await asking.visitor.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address });
  const body = made.status === 200 ? wallet.answer(made.body.nonce, made.body.text) : wallet.answer('unknown', 'text');
  return signing.visitor.ask('POST', '/api/account/sign-in', body, signing.credential);
}

/** An action of the operator, on something that is there. */
const acting = (path: (test: TestApp) => Promise<string> | string, body: object = {}): Probe => ({
  own: async ({ visitor, credential }, _other, test) =>
    visitor.ask('POST', `/api/operator/${await path(test)}`, { reason: 'It has to be.', ...body }, credential),
});

/** Of what has been stored, for ids that were not there before. */
let made = 100;
const newJob = async (test: TestApp): Promise<string> => (await storeJob(test, { id: jobIdOf(++made) })).id;
const contributorIn = async ({ store }: TestApp): Promise<string> => {
  const id = contributorIdOf(++made);
  await store.people.createContributor(exampleContributor({ id }));
  return id;
};
const siteIn = async ({ store }: TestApp): Promise<string> => {
  const id = siteIdOf(++made);
  await store.people.createSite(exampleSite({ id }));
  return id;
};
async function reportIn(test: TestApp): Promise<string> {
  const reporter = new Visitor(test);
  await reporter.start();
  const report = await reporter.ask<{ id: string }>('POST', `/api/jobs/${await newJob(test)}/reports`, { reason: 'other', text: '' });
  return report.body.id;
}
const asOperator = async (test: TestApp, path: string, body: object): Promise<void> =>
  void (await (await operatorOf(test)).ask('POST', `/api/operator/${path}`, { reason: 'Before.', ...body }));

const operatorProbes: Readonly<Record<string, Probe>> = {
  'POST /api/operator/session': {
    own: ({ visitor, credential }, _other, { config, now }) =>
      visitor.ask('POST', '/api/operator/session', { token: makeLink(config.dataDir, randomBytes(32), now.ms) }, credential),
  },
  'DELETE /api/operator/session': plain('DELETE', '/api/operator/session'),
  'GET /api/operator': plain('GET', '/api/operator'),
  'GET /api/operator/reports': plain('GET', '/api/operator/reports'),
  'POST /api/operator/reports/:id/dismiss': acting(async (test) => `reports/${await reportIn(test)}/dismiss`),
  'GET /api/operator/jobs': plain('GET', '/api/operator/jobs'),
  'POST /api/operator/jobs/:id/hide': acting(async (test) => `jobs/${await newJob(test)}/hide`, { hidden: true }),
  'POST /api/operator/jobs/:id/take-down': acting(async (test) => `jobs/${await newJob(test)}/take-down`, { ban: false }),
  'GET /api/operator/contents': plain('GET', '/api/operator/contents'),
  'POST /api/operator/contents': acting(() => 'contents', { hash: 'ab'.repeat(32) }),
  'POST /api/operator/contents/:hash/lift': acting(async (test) => {
    await asOperator(test, 'contents', { hash: 'ab'.repeat(32) });
    return `contents/${'ab'.repeat(32)}/lift`;
  }),
  'GET /api/operator/contributors': plain('GET', '/api/operator/contributors'),
  'POST /api/operator/contributors/:id/pardon': acting(async (test) => `contributors/${await contributorIn(test)}/pardon`),
  'GET /api/operator/sites': plain('GET', '/api/operator/sites'),
  'POST /api/operator/sites/:id/suspend': acting(async (test) => `sites/${await siteIn(test)}/suspend`, { suspended: true }),
  'GET /api/operator/ledger': plain('GET', '/api/operator/ledger'),
  'POST /api/operator/pause': acting(() => 'pause'),
  'POST /api/operator/resume': acting(async (test) => {
    await asOperator(test, 'pause', {});
    return 'resume';
  }),
  'GET /api/operator/log': plain('GET', '/api/operator/log'),
};

const probes: Readonly<Record<string, Probe>> = {
  ...operatorProbes,
  'GET /api/network': plain('GET', '/api/network'),
  'POST /api/jobs/:id/reports': {
    own: async ({ visitor, credential }, _other, test) =>
      visitor.ask('POST', `/api/jobs/${await newJob(test)}/reports`, { reason: 'other', text: '' }, credential),
  },
  'GET /healthz': plain('GET', '/healthz'),
  'GET /readyz': plain('GET', '/readyz'),
  // Without built pages: what matters here is that nobody is turned away.
  'GET /': plain('GET', '/'),
  'GET /widget/frame': plain('GET', '/widget/frame'),
  'GET /widget/consent': plain('GET', '/widget/consent'),
  'GET /widget/run': plain('GET', '/widget/run'),
  'POST /api/session': plain('POST', '/api/session', () => ({})),
  'GET /api/account': free('/api/account'),
  'DELETE /api/account': {
    own: ({ visitor, credential }) => visitor.ask('DELETE', '/api/account', {}, credential),
    foreign: async (_self, other) => expect((await other.visitor.ask('GET', '/api/account')).status).toBe(200),
  },
  'GET /api/account/statement': free('/api/account/statement'),
  'GET /api/account/consents': free('/api/account/consents'),
  'POST /api/account/challenge': plain('POST', '/api/account/challenge', () => ({ address: new TestWallet().address })),
  'POST /api/account/sign-in': {
    own: (self) => answerTo(self, self),
    foreign: async (self, other) => refused(await answerTo(other, self)),
  },
  'POST /api/account/sign-out': plain('POST', '/api/account/sign-out', () => ({})),
  'POST /api/consents': plain('POST', '/api/consents', () => ({ kinds: [workloadIds[0]], site: null })),
  'DELETE /api/consents/:id': {
    own: (self, other) => self.visitor.ask('DELETE', `/api/consents/${(self.grant ?? other.grant)?.consent.id}`, undefined, self.credential),
    foreign: async (self, other) => refused(await self.visitor.ask('DELETE', `/api/consents/${other.grant?.consent.id}`, undefined, self.credential)),
  },
  'GET /api/contributors/me': free('/api/contributors/me'),
  'GET /api/contributors/me/results': free('/api/contributors/me/results'),
  'GET /api/account/results': free('/api/account/results'),
  'POST /api/uploads': {
    own: ({ visitor, credential }) => visitor.ask('POST', '/api/uploads', Buffer.from('scene'), { ...credential, 'content-type': 'application/octet-stream' }),
  },
  'DELETE /api/uploads/:id': {
    async own({ visitor, credential }) {
      const begun = await visitor.ask('POST', '/api/uploads', undefined, { ...credential, 'tus-resumable': '1.0.0', 'upload-length': '5' });
      return visitor.ask('DELETE', begun.headers.location ?? '/api/uploads/u_AAAAAAAAAAAAAAAA', undefined, { ...credential, 'tus-resumable': '1.0.0' });
    },
    async foreign({ visitor, credential }, other) {
      const begun = await other.visitor.ask('POST', '/api/uploads', undefined, { ...other.credential, 'tus-resumable': '1.0.0', 'upload-length': '5' });
      expect((await visitor.ask('DELETE', begun.headers.location!, undefined, { ...credential, 'tus-resumable': '1.0.0' })).status).toBe(404);
    },
  },
  'POST /api/keys': plain('POST', '/api/keys', () => ({ name: 'Farm', scopes: ['jobs:read'] })),
  'GET /api/keys': {
    own: ({ visitor, credential }) => visitor.ask('GET', '/api/keys', undefined, credential),
    foreign: async (self, other) => {
      const key = await keyOf(other);
      expect((await self.visitor.ask('GET', '/api/keys', undefined, self.credential)).text).not.toContain(key);
    },
  },
  'DELETE /api/keys/:id': {
    own: async (self) => self.visitor.ask('DELETE', `/api/keys/${await keyOf(self)}`, undefined, self.credential),
    foreign: async (self, other) => refused(await self.visitor.ask('DELETE', `/api/keys/${await keyOf(other)}`, undefined, self.credential)),
  },
  'GET /api/openapi.json': plain('GET', '/api/openapi.json'),
  'POST /api/sites': plain('POST', '/api/sites', () => ({ name: 'Park', origin: 'https://park.example', sharePercent: 0 })),
  'POST /api/groups': plain('POST', '/api/groups', () => ({ name: 'Studio' })),
  'GET /api/groups': {
    own: ({ visitor, credential }) => visitor.ask('GET', '/api/groups', undefined, credential),
    foreign: async (self, other) => {
      const group = await groupOf(other);
      expect((await self.visitor.ask('GET', '/api/groups', undefined, self.credential)).text).not.toContain(group);
    },
  },
  'GET /api/groups/:id': aboutGroup('GET', () => ''),
  'POST /api/groups/:id/invites': aboutGroup('POST', () => '/invites', {}),
  'DELETE /api/groups/:id/invites/:id': aboutGroup('DELETE', async (owner, group) => `/invites/${(await inviteInto(owner, group)).id ?? 'i_AAAAAAAAAAAAAAAA'}`),
  'POST /api/groups/:id/leave': {
    async own(self, other) {
      const group = await groupOf(other);
      await self.visitor.ask('POST', '/api/invites/join', { code: (await inviteInto(other, group)).code }, self.credential);
      return self.visitor.ask('POST', `/api/groups/${group}/leave`, {}, self.credential);
    },
    foreign: async (self, other) => refused(await self.visitor.ask('POST', `/api/groups/${await groupOf(other)}/leave`, {}, self.credential)),
  },
  'DELETE /api/groups/:id/members/:id': {
    async own(self, other, test) {
      const group = await groupOf(self);
      const owned = group === 'g_AAAAAAAAAAAAAAAA' ? { owner: other, group: await groupOf(other) } : { owner: self, group };
      const member = await memberOf(test, owned.owner, owned.group);
      return self.visitor.ask('DELETE', `/api/groups/${owned.group}/members/${member}`, undefined, self.credential);
    },
    async foreign(self, other, _own, test) {
      const group = await groupOf(other);
      refused(await self.visitor.ask('DELETE', `/api/groups/${group}/members/${await memberOf(test, other, group)}`, undefined, self.credential));
    },
  },
  'POST /api/invites/look': {
    own: async ({ visitor, credential }, other) =>
      visitor.ask('POST', '/api/invites/look', { code: (await inviteInto(other, await groupOf(other))).code }, credential),
  },
  'POST /api/invites/join': {
    own: async ({ visitor, credential }, other) =>
      visitor.ask('POST', '/api/invites/join', { code: (await inviteInto(other, await groupOf(other))).code }, credential),
  },
  'POST /api/webhooks': plain('POST', '/api/webhooks', () => ({ url: 'https://example.com/hook', events: ['job.done'] })),
  'GET /api/webhooks': {
    own: ({ visitor, credential }) => visitor.ask('GET', '/api/webhooks', undefined, credential),
    foreign: async (self, other) => {
      const webhook = await webhookOf(other);
      expect((await self.visitor.ask('GET', '/api/webhooks', undefined, self.credential)).text).not.toContain(webhook);
    },
  },
  'DELETE /api/webhooks/:id': aboutWebhook('DELETE'),
  'GET /api/webhooks/:id/deliveries': aboutWebhook('GET', '/deliveries'),
  'POST /api/webhooks/:id/test': aboutWebhook('POST', '/test'),
  'GET /api/sites': free('/api/sites'),
  'POST /api/sites/:id/prove': {
    own: async (self, other, test) => {
      const site = self.site ?? other.site;
      test.proofs.set(site?.origin ?? '', (site && (await test.store.people.site(site.id))?.token) ?? '');
      return self.visitor.ask('POST', `/api/sites/${site?.id}/prove`, undefined, self.credential);
    },
    foreign: async (self, other) => refused(await self.visitor.ask('POST', `/api/sites/${other.site?.id}/prove`, undefined, self.credential)),
  },
  'POST /api/sites/:id/switch': {
    own: (self, other) => self.visitor.ask('POST', `/api/sites/${(self.site ?? other.site)?.id}/switch`, { on: false }, self.credential),
    foreign: async (self, other) => refused(await self.visitor.ask('POST', `/api/sites/${other.site?.id}/switch`, { on: false }, self.credential)),
  },
  'GET /api/agreement': plain('GET', '/api/agreement'),
  'GET /api/workloads': plain('GET', '/api/workloads'),
  'GET /api/prices': plain('GET', '/api/prices'),
  'GET /api/examples': plain('GET', '/api/examples'),
  'GET /api/examples/:id/:id/picture': plain('GET', `/api/examples/${workloadIds[0]}/cornell/picture`),
  'GET /api/examples/:id/:id/files/:id': plain('GET', `/api/examples/${workloadIds[0]}/mosaic/files/model`),
  'GET /api/sites/:id': { own: ({ visitor, credential }, other) => visitor.ask('GET', `/api/sites/${other.site?.id}`, undefined, credential) },
};

test('the table and the probes name the same routes, every cell is filled', () => {
  const rows = table();
  expect([...rows.keys()].sort()).toEqual(Object.keys(probes).sort());
  for (const [route, cells] of rows) {
    expect(cells, route).toHaveLength(roles.length);
    for (const cell of cells) expect(['yes', 'no', 'own'], route).toContain(cell);
  }
});

test.each([...table()])('%s', (route, row) =>
  withOperatorApp(async (test) => {
    const probe = probes[route];
    if (!probe) throw new Error(`no probe for ${route}`);
    for (const [index, role] of roles.entries()) {
      const cell = row[index];
      const self = await actor(test, role);
      const other = await actor(test, 'site owner');
      const reply = await probe.own(self, other, test);
      if (cell === 'no') refused(reply, role);
      else if (route.startsWith('GET /widget') || route === 'GET /') expect(reply.status, role).toBe(503);
      else expect(reply.status, role).toBeLessThan(300);
      if (cell === 'own') {
        expect(probe.foreign, 'an own cell needs a look at what is not own').toBeDefined();
        await probe.foreign?.(self, other, reply, test);
      }
    }
  }),
);
