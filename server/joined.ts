import type { ContributorId } from '../shared/model.ts';
import type { Command, Joining } from './core/state.ts';

type Join = Command & { readonly type: 'join' };

const NO_STANDINGS: Joining['standings'] = new Map();

/** Contributors that are here, as they are now: should the core's state have to be rebuilt, they join it again. Standings are read anew before that. */
export class Joined {
  readonly #joins = new Map<ContributorId, Join>();

  /** A command that is about to change who is here, or how. */
  hear(command: Command): void {
    if (command.type === 'join') this.#joins.set(command.contributor.id, { ...command, contributor: { ...command.contributor, standings: NO_STANDINGS } });
    if (command.type === 'leave') this.#joins.delete(command.contributor);
    if (command.type === 'prefer') this.change(({ id }) => id === command.contributor, { preferences: command.preferences });
    if (command.type === 'forgetOwner') this.change(({ id }) => command.contributors.includes(id), { owner: command.owner });
  }

  change(which: (contributor: Joining) => boolean, to: Partial<Joining>): void {
    for (const [id, join] of this.#joins) if (which(join.contributor)) this.#joins.set(id, { ...join, contributor: { ...join.contributor, ...to } });
  }

  all(): Iterable<Join> {
    return this.#joins.values();
  }
}
