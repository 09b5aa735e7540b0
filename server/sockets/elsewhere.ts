import type { ContributorId, ResultId } from '../../shared/model.ts';
import type { ContributorFacts, OpenRequest } from '../../shared/protocol.ts';
import type * as schemas from '../../shared/schemas.ts';
import type { Bus } from '../bus.ts';
import { Refusal } from './connect.ts';

/*
 * A contributor whose line was cut comes back to whichever coordinator the balancer chooses, with work under way that another one sees to. What it
 * sends of that is passed on, answered there, and the answer passed back; what it is told finds it wherever it is.
 */

/** One contributor's message, and who it is. */
export interface Passed<Message> {
  readonly contributor: ContributorId;
  readonly message: Message;
}

/** What is answered to a message of a contributor that is connected elsewhere; undefined: it is none of this coordinator's. */
export interface Hearers {
  handIn(passed: Passed<schemas.HandIn>): Promise<{ readonly result: ResultId; readonly open: readonly number[] }> | undefined;
  open(passed: Passed<schemas.Open>): Promise<null> | undefined;
  answer(passed: Passed<schemas.Answer>): Promise<null> | undefined;
  giveBack(passed: Passed<schemas.GiveBack>): void;
  unopened(contributor: ContributorId): readonly OpenRequest[];
  fact(passed: Passed<Fact>): void;
  /** It has said hello elsewhere. */
  gone(session: Gone): void;
}

export interface Gone {
  readonly contributor: ContributorId;
  readonly browser: string | null;
}

type Fact = { readonly [Name in keyof ContributorFacts]: readonly [name: Name, ...message: Parameters<ContributorFacts[Name]>] }[keyof ContributorFacts];
type Answered = { readonly data: unknown } | { readonly refusal: Refusal['body']['error'] };

const COMMANDS = ['handIn', 'open', 'answer'] as const;

export class Elsewhere {
  readonly #bus: Bus;

  constructor(bus: Bus, hearers: Hearers) {
    this.#bus = bus;
    for (const command of COMMANDS) bus.on(command, (passed) => answered(() => hearers[command](passed)));
    bus.on('giveBack', (passed: Passed<schemas.GiveBack>) => hearers.giveBack(passed));
    bus.on('unopened', (contributor: ContributorId) => hearers.unopened(contributor));
    bus.on('fact', (passed: Passed<Fact>) => hearers.fact(passed));
    bus.on('gone', (session: Gone) => hearers.gone(session));
  }

  /** The answer of whoever it concerns. Throws its `Refusal`; undefined: it concerns nobody who is there. */
  async pass<Command extends (typeof COMMANDS)[number]>(
    command: Command,
    contributor: ContributorId,
    message: Parameters<Hearers[Command]>[0]['message'],
  ): Promise<Awaited<ReturnType<Hearers[Command]>>> {
    const [answer] = (await this.#bus.ask(command, { contributor, message })) as Answered[];
    if (answer && 'refusal' in answer) throw new Refusal(answer.refusal.code, answer.refusal.message, answer.refusal.field, answer.refusal.limit);
    return answer?.data as Awaited<ReturnType<Hearers[Command]>>;
  }

  giveBack(contributor: ContributorId, message: schemas.GiveBack): void {
    this.#bus.tell('giveBack', { contributor, message });
  }

  /** Results of this contributor that wait for their opening at others. */
  async unopened(contributor: ContributorId): Promise<OpenRequest[]> {
    return ((await this.#bus.ask('unopened', contributor)) as OpenRequest[][]).flat();
  }

  tell(contributor: ContributorId, ...fact: Fact): void {
    this.#bus.tell('fact', { contributor, message: fact });
  }

  gone(session: Gone): void {
    this.#bus.tell('gone', session);
  }
}

async function answered(hear: () => Promise<unknown> | undefined): Promise<Answered | undefined> {
  try {
    const answer = hear();
    return answer && { data: await answer };
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error.body.error };
    return { refusal: { code: 'busy', message: 'The coordinator could not do this now; try again.' } };
  }
}
