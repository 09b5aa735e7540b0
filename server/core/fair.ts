import { HOUR_MS } from '../../shared/limits.ts';

/**
 * Whose turn it is: weighted fair queueing by start tags (Goyal, Vin and Cheng, SIGCOMM 1996) in two levels. Requesters share the network,
 * however many jobs each has open, and the jobs of one requester share what it gets. Work of a job is charged to it and to its requester by its
 * weight, and the least charged comes next. Who comes anew, or had nothing to give for a while, begins level with who was served last: it
 * neither waits for what others got meanwhile nor catches up at their cost. Level is meant within a class, of jobs that the same contributors
 * can do: where a class has few of them its jobs are charged less, and one that began level with others would wait behind all of its own.
 *
 * While two of them wait all the time, what they got differs by no more than one piece of work of each, once divided by their weights.
 */
export interface Turn<J> {
  /** What was charged so far; the lower comes first, then who came first. */
  tag: number;
  readonly number: number;
  readonly job: J;
  flow: Flow<J>;
  /** It is in line: it may have something to give. */
  waits: boolean;
}

/** What one requester has open of one class. */
export interface Flow<J> {
  readonly key: string;
  tag: number;
  readonly number: number;
  readonly class: string;
  readonly line: Turn<J>[];
  /** The tag of that of its jobs that was served last. */
  now: number;
}

/** The dearest gets so many times the share of the cheapest, squared root of the price by square root. */
const PRICE_WEIGHT_MAX = 4;
/** The cheapest stands level with a fresh job at the usual price when it is this old, and nobody's weight grows further. */
const AGE_MS = HOUR_MS;
const AGE_WEIGHT_MAX = 4;

/** How much of the network a job is to get against others. `usualRate`: what jobs pay lately, in the same unit; a job that is free has the weight of a usual one. */
export function weightOf(rate: number, usualRate: number, ageMs: number): number {
  const price = rate > 0 && usualRate > 0 ? Math.sqrt(rate / usualRate) : 1;
  const age = Math.min(AGE_WEIGHT_MAX, 1 + Math.max(0, ageMs) / AGE_MS);
  return Math.min(PRICE_WEIGHT_MAX, Math.max(1 / PRICE_WEIGHT_MAX, price)) * age;
}

export class FairQueue<J> {
  readonly #flows = new Map<string, Flow<J>>();
  readonly #line: Flow<J>[] = [];
  readonly #isOpen: (job: J) => boolean;
  #count = 0;
  #placed = 0;
  /** By class, the tag of the requester that was served last. */
  readonly #now = new Map<string, number>();

  /** `isOpen`: whether there is something to give of a job in line. One that has not leaves it when it is met. */
  constructor(isOpen: (job: J) => boolean) {
    this.#isOpen = isOpen;
  }

  /** A place for a job of that requester; it is not in line yet. */
  place(requester: string, kind: string, job: J): Turn<J> {
    const key = `${kind} ${requester}`;
    let flow = this.#flows.get(key);
    if (!flow) {
      flow = { key, tag: this.#nowOf(kind), number: ++this.#count, class: kind, line: [], now: 0 };
      this.#flows.set(key, flow);
      if (++this.#placed >= this.#flows.size) this.#forget();
    }
    return { tag: flow.now, number: ++this.#count, job, flow, waits: false };
  }

  #nowOf(kind: string): number {
    return this.#now.get(kind) ?? 0;
  }

  /** What is not ahead of the others begins where they are, remembered or not. */
  #forget(): void {
    this.#placed = 0;
    for (const [key, { line, tag, class: kind }] of this.#flows) if (line.length === 0 && tag < this.#nowOf(kind)) this.#flows.delete(key);
  }

  enter(turn: Turn<J>): void {
    if (turn.waits) return;
    const flow = this.#flows.get(turn.flow.key) ?? turn.flow;
    this.#flows.set(flow.key, flow);
    turn.flow = flow;
    turn.waits = true;
    turn.tag = Math.max(turn.tag, flow.now);
    if (flow.line.length === 0) {
      flow.tag = Math.max(flow.tag, this.#nowOf(flow.class));
      insert(this.#line, flow);
    }
    insert(flow.line, turn);
  }

  /** Everybody in line, in their order. Nothing may enter or be served before the walk ends. */
  *walk(): Generator<Turn<J>, void> {
    for (let place = 0; place < this.#line.length; ) {
      const flow = this.#line[place]!;
      yield* this.walkFlow(flow);
      if (flow.line.length === 0) this.#line.splice(place, 1);
      else place++;
    }
  }

  /** The jobs of one requester, in their order. */
  *walkFlow({ line }: Flow<J>): Generator<Turn<J>, void> {
    for (let place = 0; place < line.length; ) {
      const turn = line[place]!;
      if (this.#isOpen(turn.job)) {
        yield turn;
        place++;
      } else {
        turn.waits = false;
        line.splice(place, 1);
      }
    }
  }

  /** Charges a job that is in line for work that was granted. `inTurn`: it came first for anybody; who is preferred does not say where the others are. */
  serve(turn: Turn<J>, units: number, weight: number, inTurn = true): void {
    const { flow } = turn;
    if (inTurn) {
      this.#now.set(flow.class, Math.max(this.#nowOf(flow.class), flow.tag));
      flow.now = Math.max(flow.now, turn.tag);
    }
    move(this.#line, flow, units / weight);
    move(flow.line, turn, units / weight);
  }
}

type Tagged = { tag: number; readonly number: number };

/** The place of the first one that comes behind this. */
function placeBehind(line: readonly Tagged[], { tag, number }: Tagged): number {
  let [from, to] = [0, line.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const other = line[middle]!;
    if (other.tag < tag || (other.tag === tag && other.number <= number)) from = middle + 1;
    else to = middle;
  }
  return from;
}

const insert = <T extends Tagged>(line: T[], each: T): void => void line.splice(placeBehind(line, each), 0, each);

function move<T extends Tagged>(line: T[], each: T, by: number): void {
  line.splice(placeBehind(line, each) - 1, 1);
  each.tag += by;
  insert(line, each);
}
