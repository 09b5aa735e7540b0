import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const KILL_AFTER_MS = 30_000;
const KEPT_LINES_MAX = 200;

export interface Child {
  readonly pid: number;
  /** Resolves with the match of the first line of output, past or future, that matches. Rejects when the child exits first, or the time is over. */
  line(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** Exit code, null after a signal. */
  readonly exited: Promise<number | null>;
  /** The last lines of standard output and standard error, for messages. */
  tail(lines?: number): string;
  /** SIGTERM, and SIGKILL to it and all its children when it has not ended within 30 s: a coordinator that drains takes up to 20. */
  stop(): Promise<void>;
  /** SIGKILL at once, as after a power cut. */
  kill(): Promise<void>;
}

export interface ChildOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Called with every line of standard output, and of standard error. */
  readonly onLine?: (line: string) => void;
  readonly onErrorLine?: (line: string) => void;
}

const alive = new Set<ChildProcess>();

/** A child leads a process group of its own, so that its children can be ended with it. */
function killGroup(process_: ChildProcess): void {
  try {
    if (process_.pid !== undefined) process.kill(-process_.pid, 'SIGKILL');
  } catch (error) {
    // The whole group has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

process.on('exit', () => {
  for (const each of alive) killGroup(each);
});

/** Starts a program whose output is read line by line. It ends with this process at the latest. */
export function startChild(command: string, args: readonly string[], options: ChildOptions): Child {
  const child = spawn(command, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  alive.add(child);
  const kept: string[] = [];
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      kept.push(line);
      if (kept.length > KEPT_LINES_MAX) kept.shift();
      if (stream === child.stdout) options.onLine?.(line);
      else options.onErrorLine?.(line);
      for (const listener of listeners) listener(line);
    });
  }
  const tail = (lines = 20): string => kept.slice(-lines).join('\n');
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    // 'close' comes after the last line of output, 'exit' may come before it.
    child.once('close', (code) => {
      alive.delete(child);
      resolve(code);
    });
  });
  exited.catch(() => alive.delete(child));

  const line = (pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const name = `${command} ${args.join(' ')}`;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        listeners.delete(listener);
        act();
      };
      const listener = (text: string): void => {
        const match = pattern.exec(text);
        if (match) finish(() => resolve(match));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${name} did not print ${pattern} within ${timeoutMs / 1000} s. Its last output:\n${tail()}`))),
        timeoutMs,
      );
      listeners.add(listener);
      for (const text of [...kept]) listener(text);
      exited.then(
        (code) => finish(() => reject(new Error(`${name} ended with ${code ?? 'a signal'} before it printed ${pattern}. Its last output:\n${tail()}`))),
        (error: unknown) => finish(() => reject(error)),
      );
    });

  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = async (): Promise<void> => {
    if (ended()) return;
    const late = setTimeout(() => killGroup(child), KILL_AFTER_MS);
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
    clearTimeout(late);
    killGroup(child);
  };
  const kill = async (): Promise<void> => {
    if (ended()) return;
    const exit = once(child, 'exit');
    killGroup(child);
    await exit;
  };
  return { pid: child.pid ?? -1, line, exited, tail, stop, kill };
}
