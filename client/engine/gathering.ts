import { KIB, limits } from '../../shared/limits.ts';
import type { Ack } from '../../shared/protocol.ts';
import type { Answer, HandIn, Many, Open } from '../../shared/schemas.ts';

type Name = Many[number][0];
type Message = Answer | HandIn | Open;
/** Null: no answer came. */
type Answered = Ack<unknown> | null;

const gathered = ['handIn', 'open', 'answer'] as const satisfies readonly Name[];
/** Of a message; the coordinator takes `socketMessageBytesMax`. */
const BYTES_MAX = 56 * KIB;
/** Of a command without its bytes: tokens, hashes and names of fields. */
const COMMAND_BYTES = KIB;

interface Waiting {
  readonly command: readonly [Name, Message];
  readonly answered: (ack: Answered) => void;
}

export const isGathered = (command: string): command is Name => (gathered as readonly string[]).includes(command);

/** Commands that come together go in one message: what a fast GPU finishes in a moment costs the coordinator one message, not thirty. */
export class Gathering {
  readonly #send: (command: Name | 'many', message: unknown) => Promise<Answered>;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (command: Name | 'many', message: unknown) => Promise<Answered>) {
    this.#send = send;
  }

  add(command: readonly [Name, Message]): Promise<Answered> {
    return new Promise((answered) => {
      this.#waiting.push({ command, answered });
      // Whoever was answered together by one message sends on in the same turn of the event loop or the next.
      this.#timer ??= setTimeout(() => this.#flush(), 0);
    });
  }

  #flush(): void {
    this.#timer = undefined;
    for (let group: Waiting[] = []; this.#waiting.length > 0; group = []) {
      let bytes = 0;
      while (this.#waiting.length > 0 && group.length < limits.commandsPerMessageMax) {
        bytes += COMMAND_BYTES + bytesOf(this.#waiting[0]!.command[1]);
        if (group.length > 0 && bytes > BYTES_MAX) break;
        group.push(this.#waiting.shift()!);
      }
      void this.#deliver(group);
    }
  }

  async #deliver(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (group.length === 1 && first) return first.answered(await this.#send(...first.command));
    const ack = await this.#send(
      'many',
      group.map(({ command }) => command),
    );
    const answers = ack && 'data' in ack ? (ack.data as readonly Answered[]) : null;
    // A message that was refused as a whole is refused for each of its commands.
    for (const [index, { answered }] of group.entries()) answered(answers ? (answers[index] ?? null) : (ack as Answered));
  }
}

function bytesOf(message: Message): number {
  if ('values' in message) return message.values.byteLength;
  return message.inline?.byteLength ?? 0;
}
