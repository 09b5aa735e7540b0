/*
 * README.md and docs/*.md are read by people and run by scripts. What a document says to a script:
 *
 *   ```sh                    each line is a command for bash, in the project's folder; a `\` at its end goes on in the next
 *   ```text  right behind    lines that its last command prints, in this order, others between them; `…` stands for anything
 *   a line that begins with `a/path.ts`, right before a block    the block is that file; a ```diff block changes it
 *   <!-- newcomer: serves -->          before a block of commands: its last one runs until the section ends that it stands in
 *   <!-- newcomer: skip REASON -->     before a block of commands: a plain machine cannot run it
 */

interface Command {
  readonly line: number;
  readonly command: string;
  /** Lines that it prints, `…` for anything, in this order. */
  readonly wanted: readonly string[];
}

export type Step =
  | ({ readonly kind: 'run' | 'serve' } & Command)
  | ({ readonly kind: 'skip'; readonly reason: string } & Command)
  /** A section begins, and ends all of its level and below. */
  | { readonly kind: 'section'; readonly level: number }
  | { readonly kind: 'file'; readonly line: number; readonly path: string; readonly text: string }
  | { readonly kind: 'change'; readonly line: number; readonly path: string; readonly from: string; readonly to: string };

interface Block {
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  /** The last line before it that is not empty. */
  readonly before: string;
  /** It stands right behind another block. */
  readonly follows: Block | null;
}

/** The blocks between fences, and the headings, of a document. Throws on a fence that is not closed. */
function* piecesOf(document: string): Generator<Block | { readonly level: number }> {
  const lines = document.split('\n');
  let before = '';
  let last: Block | null = null;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fence = /^(`{3,})(.*)$/.exec(line);
    if (fence) {
      const end = lines.indexOf(fence[1]!, at + 1);
      if (end < 0) throw new Error(`line ${at + 1}: this block does not end`);
      last = { line: at + 1, language: fence[2]!.trim(), lines: lines.slice(at + 1, end), before, follows: before === '' ? last : null };
      yield last;
      before = '';
      at = end;
      continue;
    }
    if (line.trim() !== '') before = line;
    const level = /^(#+) /.exec(line)?.[1]?.length;
    if (level !== undefined) yield { level };
  }
}

type Said = Pick<Command, 'line' | 'command'>;

/** The commands of a block: comments and empty lines are none. */
function commandsOf({ line, lines }: Block): Said[] {
  const commands: Said[] = [];
  let begun = null as Said | null;
  for (const [at, text] of lines.entries()) {
    if (!begun && (text.trim() === '' || text.startsWith('#'))) continue;
    begun = begun ? { ...begun, command: `${begun.command}\n${text}` } : { line: line + 1 + at, command: text };
    if (text.endsWith('\\')) continue;
    commands.push(begun);
    begun = null;
  }
  if (begun) throw new Error(`line ${begun.line}: this command does not end`);
  return commands;
}

function changeOf({ line, lines }: Block, path: string): Step {
  const without = (sign: string): string =>
    lines
      .filter((each) => !each.startsWith(sign))
      .map((each) => each.slice(1))
      .join('\n');
  return { kind: 'change', line, path, from: without('+'), to: without('-') };
}

/** What a document has people do, in its order. Throws on what is no step and looks like one. */
export function stepsOf(document: string): Step[] {
  const pieces = [...piecesOf(document)];
  return pieces.flatMap((piece, at): Step[] => {
    if ('level' in piece) return [{ kind: 'section', level: piece.level }];
    const path = /^`([^`\s]+\/[^`\s]+)`/.exec(piece.before)?.[1];
    if (piece.language !== 'sh') {
      if (path === undefined || piece.language === 'text') return [];
      return [piece.language === 'diff' ? changeOf(piece, path) : { kind: 'file', line: piece.line, path, text: `${piece.lines.join('\n')}\n` }];
    }
    const note = /^<!-- newcomer: (.*) -->$/.exec(piece.before)?.[1];
    const reason = /^skip (.+)$/.exec(note ?? '')?.[1];
    if (note !== undefined && note !== 'serves' && reason === undefined) throw new Error(`line ${piece.line}: nobody knows what "${note}" means`);
    const next = pieces[at + 1];
    const wanted = next && 'language' in next && next.language === 'text' && next.follows === piece ? next.lines.filter((line) => line.trim() !== '') : [];
    const commands = commandsOf(piece);
    return commands.map((command, index): Step => {
      const isLast = index === commands.length - 1;
      const said = { ...command, wanted: isLast ? wanted : [] };
      if (reason !== undefined) return { kind: 'skip', reason, ...said };
      return { kind: isLast && note === 'serves' ? 'serve' : 'run', ...said };
    });
  });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

const isLike = (line: string, wanted: string): boolean => new RegExp(`^${wanted.trim().split('…').map(escaped).join('.*')}$`).test(line.trim());

/** The first of the wanted lines that is not there behind those before it; undefined where all are. */
export function missingFrom(printed: readonly string[], wanted: readonly string[]): string | undefined {
  let at = 0;
  return wanted.find((each) => {
    while (at < printed.length && !isLike(printed[at]!, each)) at++;
    return at++ >= printed.length;
  });
}

/** A text with a change. Throws unless what is to be changed is there once. */
export function changed(text: string, { path, from, to }: { readonly path: string; readonly from: string; readonly to: string }): string {
  const parts = text.split(`${from}\n`);
  if (parts.length !== 2) throw new Error(`${path} has ${parts.length - 1} times what the document changes`);
  return parts.join(`${to}\n`);
}
