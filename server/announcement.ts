import qrcode from 'qrcode-generator';

/** What the process says when it is ready: where, and, in a local network, under which addresses, with the first as a QR code for phones. */
export function announcement(url: string, lanUrls: readonly string[], isSelfSigned: boolean, withColour: boolean): string {
  const ready = `Tessera is ready: ${url}`;
  const [first] = lanUrls;
  if (first === undefined) return ready;
  const warning = isSelfSigned ? ['Browsers warn once, because this machine signed its certificate itself: docs/local-network.md.'] : [];
  return [ready, 'In this network:', ...lanUrls.map((each) => `  ${each}`), ...warning, '', qrLines(first, withColour)].join('\n');
}

/** Light modules around a code, without which cameras do not find it. */
const QUIET = 2;

/**
 * A QR code in half blocks, two rows of modules a line. With colours it is black on white whatever the terminal's are; without, light modules are
 * drawn and the terminal is taken to be dark.
 */
export function qrLines(text: string, withColour: boolean): string {
  const code = qrcode(0, 'M');
  code.addData(text);
  code.make();
  const modules = code.getModuleCount();
  const isLight = (row: number, column: number): boolean => row < 0 || column < 0 || row >= modules || column >= modules || !code.isDark(row, column);
  const lines: string[] = [];
  for (let row = -QUIET; row < modules + QUIET; row += 2) {
    let line = '';
    for (let column = -QUIET; column < modules + QUIET; column++) line += ' ▄▀█'[(isLight(row, column) ? 2 : 0) + (isLight(row + 1, column) ? 1 : 0)];
    lines.push(withColour ? `\x1b[97;40m${line}\x1b[0m` : line);
  }
  return lines.join('\n');
}
