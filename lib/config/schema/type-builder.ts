import type {
  SchemaOptions, TArray, TBoolean, TInteger, TLiteral, TNumber, TObject, TRecord, TSchema, TString, TUnion, Type as TypeBox
} from '@sinclair/typebox'

/*
 * Builds the schemas of TypeBox. TypeBox itself is 250 files, which take longer to load than all else here, so only its types
 * are imported. The schemas are equal to its own in every property, and the symbols of their kinds are those of its registry:
 * a schema of ours works in TypeBox.
 */

/** The builders in use here. */
type Builder = Pick<typeof TypeBox,
  'Any' | 'Array' | 'Boolean' | 'Function' | 'Integer' | 'Literal' | 'Never' | 'Null' | 'Number' | 'Object' | 'Optional' | 'Partial' |
  'Record' | 'String' | 'Union' | 'Unknown' | 'Unsafe'>

interface Kinds {
  readonly Any: TSchema
  readonly Array: TArray
  readonly Boolean: TBoolean
  readonly Function: TSchema
  readonly Integer: TInteger
  readonly Literal: TLiteral
  readonly Number: TNumber
  readonly Object: TObject
  readonly Record: TRecord
  readonly String: TString
  readonly Union: TUnion
}

type Schemas = Readonly<Record<string, TSchema>>

const KIND = Symbol.for('TypeBox.Kind')
const OPTIONAL = Symbol.for('TypeBox.Optional')

export function getKind (schema: TSchema): unknown {
  return Reflect.get(schema, KIND)
}

export function isKind<Kind extends keyof Kinds> (schema: TSchema, kind: Kind): schema is Kinds[Kind] {
  return getKind(schema) === kind
}

/** Whether a property of an object may be absent. */
export function isOptional (schema: TSchema): boolean {
  return Object.hasOwn(schema, OPTIONAL)
}

function create (kind: string, keywords: object, meta?: SchemaOptions): object {
  return { ...meta, [KIND]: kind, ...keywords }
}

function createObject (properties: Schemas, meta?: SchemaOptions): object {
  const required = Object.keys(properties).filter((key) => !isOptional(properties[key]))
  return create('Object', required.length > 0 ? { type: 'object', required, properties } : { type: 'object', properties }, meta)
}

function createOptional (schema: object): object {
  return { ...schema, [OPTIONAL]: 'Optional' }
}

function createPartial ({ required: _, properties, ...rest }: TSchema, meta?: SchemaOptions): object {
  const optional = Object.fromEntries(Object.entries<TSchema>(properties).map(([key, schema]) => [key, createOptional(schema)]))
  return { ...createObject(optional as Schemas, rest), ...meta }
}

const builder: Record<keyof Builder, unknown> = {
  Any: (meta?: SchemaOptions) => create('Any', {}, meta),
  Array: (items: TSchema, meta?: SchemaOptions) => create('Array', { type: 'array', items }, meta),
  Boolean: (meta?: SchemaOptions) => create('Boolean', { type: 'boolean' }, meta),
  Function: (parameters: TSchema[], returns: TSchema, meta?: SchemaOptions) =>
    create('Function', { type: 'Function', parameters, returns }, meta),
  Integer: (meta?: SchemaOptions) => create('Integer', { type: 'integer' }, meta),
  Literal: (value: unknown, meta?: SchemaOptions) => create('Literal', { const: value, type: typeof value }, meta),
  Never: (meta?: SchemaOptions) => create('Never', { not: {} }, meta),
  Null: (meta?: SchemaOptions) => create('Null', { type: 'null' }, meta),
  Number: (meta?: SchemaOptions) => create('Number', { type: 'number' }, meta),
  Object: createObject,
  Optional: createOptional,
  Partial: createPartial,
  Record: (key: TSchema, value: TSchema, meta?: SchemaOptions) =>
    create('Record', { type: 'object', patternProperties: { [String(key.pattern)]: value } }, meta),
  String: (meta?: SchemaOptions) => create('String', { type: 'string' }, meta),
  Union: (anyOf: TSchema[], meta?: SchemaOptions) => create('Union', { anyOf }, meta),
  Unknown: (meta?: SchemaOptions) => create('Unknown', {}, meta),
  // The schema keeps its kind: only its type changes.
  Unsafe: (schema: object) => schema
}

/** As in TypeBox. A record has keys by a pattern, and a union two alternatives or more. */
export const Type = builder as Builder
