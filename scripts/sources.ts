import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

/** One import, export-from, dynamic import or worker URL of a source file. */
export interface Import {
  readonly specifier: string;
  /** Path from the repository root for relative specifiers, null for packages. */
  readonly target: string | null;
  readonly typeOnly: boolean;
  /** `import()` and `new URL(…, import.meta.url)`: loaded later, or elsewhere. */
  readonly lazy: boolean;
  /** Imported names; empty for namespace, default and lazy imports. */
  readonly names: readonly string[];
  readonly line: number;
}

export interface Source {
  /** From the repository root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly ast: ts.SourceFile;
  readonly imports: readonly Import[];
}

const skippedFolders = new Set(['node_modules', 'dist', 'data', 'out', '.git', '.cache', 'coverage', 'test-results']);

/** Keeps what lies in <script> elements; everything else becomes spaces, so that lines and columns stay. */
export function scriptsOf(svelte: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  let out = '';
  let at = 0;
  for (const match of svelte.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)) {
    const [whole, body = ''] = match;
    const start = match.index + whole.indexOf('>') + 1;
    out += blank(svelte.slice(at, start)) + body;
    at = start + body.length;
  }
  return out + blank(svelte.slice(at));
}

export const lineOf = (ast: ts.SourceFile, node: ts.Node): number => ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1;

/** Calls `visit` on every node of the tree. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function target(path: string, specifier: string): string | null {
  const clean = specifier.replace(/\?.*$/, '');
  return clean.startsWith('.') ? posix.join(posix.dirname(path), clean) : null;
}

function importedNames(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  const named = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
  if (!named || ts.isNamespaceImport(named) || ts.isNamespaceExport(named)) return [];
  return named.elements.map((element) => (element.propertyName ?? element.name).text);
}

const isTypeOnly = (node: ts.ImportDeclaration | ts.ExportDeclaration): boolean =>
  ts.isImportDeclaration(node) ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword : node.isTypeOnly;

function importOf(node: ts.Node, path: string, ast: ts.SourceFile): Import | null {
  const found = (specifier: ts.Node | undefined, facts: Pick<Import, 'typeOnly' | 'lazy' | 'names'>): Import | null =>
    specifier && ts.isStringLiteralLike(specifier)
      ? { specifier: specifier.text, target: target(path, specifier.text), line: lineOf(ast, node), ...facts }
      : null;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return found(node.moduleSpecifier, { typeOnly: isTypeOnly(node), lazy: false, names: importedNames(node) });
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return found(node.argument.literal, { typeOnly: true, lazy: true, names: [] });
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return found(node.arguments[0], { typeOnly: false, lazy: true, names: [] });
  const isModuleUrl = ts.isNewExpression(node) && node.expression.getText(ast) === 'URL' && node.arguments?.[1]?.getText(ast) === 'import.meta.url';
  return isModuleUrl ? found(node.arguments?.[0], { typeOnly: false, lazy: true, names: [] }) : null;
}

/** Parses one .ts or .svelte file. */
export function parseSource(path: string, text: string): Source {
  const ast = ts.createSourceFile(path, path.endsWith('.svelte') ? scriptsOf(text) : text, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const imports: Import[] = [];
  walk(ast, (node) => {
    const found = importOf(node, path, ast);
    if (found) imports.push(found);
  });
  return { path, text, ast, imports };
}

/** All .ts and .svelte files below a folder, in stable order. */
export function readSources(root: string): Source[] {
  const sources: Source[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !skippedFolders.has(entry.name)) visit(path);
      else if (entry.isFile() && /\.(ts|svelte)$/.test(entry.name)) sources.push(parseSource(path, readFileSync(join(root, path), 'utf8')));
    }
  };
  visit('.');
  return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Tests and benchmarks, and what only they use: `X.testing.ts`, `testing.ts` and `testing/`. */
export const isTest = (path: string): boolean => /\.(test|bench)\.ts$|(^|[./])testing(\.ts$|\/)/.test(path) || path.startsWith('e2e/');
