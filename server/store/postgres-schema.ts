import {
  type ColumnDefinitionNode,
  type CreateTableNode,
  DataTypeNode,
  GeneratedNode,
  type KyselyPlugin,
  type OperationNode,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type PrimaryKeyConstraintNode,
  type QueryResult,
  RawNode,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely';

/** Text is compared by its bytes, as in SQLite, whatever the language of the database: pages by id have one order everywhere. */
const types: Readonly<Record<string, string>> = { integer: 'bigint', real: 'double precision', blob: 'bytea', text: 'text collate "C"' };

const typeOf = (node: OperationNode): OperationNode => {
  const type = DataTypeNode.is(node) && typeof node.dataType === 'string' ? types[node.dataType] : undefined;
  return type === undefined ? node : RawNode.createWithSql(type);
};

/**
 * Tables that are written by the ten thousand rows a second. PostgreSQL looks for what each single row refers to, which took two fifths of a
 * commit; here it is looked for once for all rows of a statement: `insertResults`, and `postTransfers`, which reads both accounts anyway.
 */
const unreferring: ReadonlySet<string> = new Set(['results', 'transfers', 'transfers_anew']);

class Translation extends OperationNodeTransformer {
  /** Whether what is being made is one of the tables in `unreferring`. */
  #isUnreferring = false;

  protected override transformColumnDefinition(node: ColumnDefinitionNode): ColumnDefinitionNode {
    const { autoIncrement, references, ...plain } = super.transformColumnDefinition(node);
    const column = references && !this.#isUnreferring ? { ...plain, references } : plain;
    const typed = { ...column, dataType: typeOf(node.dataType) as typeof node.dataType };
    return autoIncrement ? { ...typed, generated: GeneratedNode.create({ identity: true, byDefault: true }) } : typed;
  }

  /** All that a table of ours ends with is SQLite's `strict`. */
  protected override transformCreateTable(node: CreateTableNode): CreateTableNode {
    this.#isUnreferring = unreferring.has(node.table.table.identifier.name);
    const { endModifiers: _, constraints = [], ...table } = super.transformCreateTable(node);
    const kept = this.#isUnreferring ? constraints.filter(({ kind }) => kind !== 'ForeignKeyConstraintNode') : constraints;
    this.#isUnreferring = false;
    return { ...table, constraints: kept };
  }

  /** Here a key's name is an index, of which a schema has one; a table that is made anew beside the old one would have the same. */
  protected override transformPrimaryKeyConstraint(node: PrimaryKeyConstraintNode): PrimaryKeyConstraintNode {
    const { name: _, ...key } = super.transformPrimaryKeyConstraint(node);
    return key;
  }
}

/** Reads what migrations say to SQLite for PostgreSQL, so that a migration is written once and stays as it was released. */
export class PostgresSchema implements KyselyPlugin {
  readonly #translation = new Translation();

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    return this.#translation.transformNode(node, queryId);
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return result;
  }
}
