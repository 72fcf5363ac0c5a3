// The schemas are built without TypeBox, and must be those that TypeBox would build, down to the order of their keywords.
import { Type as TypeBox } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import t from 'tap'
import { RateLimitOptionsSchema } from '../../../lib/config/schema/options-schema.js'
import { Type } from '../../../lib/config/schema/type-builder.js'

type Builder = typeof Type

const meta = { expected: 'a value', description: 'Says so.', default: 1 }

const BUILDS: ReadonlyArray<readonly [name: keyof Builder, build: (type: Builder) => unknown]> = [
  ['Any', (type) => type.Any(meta)],
  ['Any', (type) => type.Any()],
  ['Array', (type) => type.Array(type.String(), { ...meta, minItems: 1 })],
  ['Boolean', (type) => type.Boolean(meta)],
  ['Function', (type) => type.Function([], type.Any(), meta)],
  ['Integer', (type) => type.Integer({ minimum: 1, maximum: 2 })],
  ['Literal', (type) => type.Literal(false, meta)],
  ['Literal', (type) => type.Literal('a')],
  ['Never', (type) => type.Never()],
  ['Null', (type) => type.Null()],
  ['Number', (type) => type.Number(meta)],
  ['Object', (type) => type.Object({})],
  ['Object', (type) => type.Object({ a: type.String(), b: type.Optional(type.Integer()) }, { ...meta, additionalProperties: false })],
  ['Object', (type) => type.Object({ b: type.Optional(type.Integer()) }, meta)],
  ['Optional', (type) => type.Optional(type.Optional(type.String(meta)))],
  ['Partial', (type) => type.Partial(type.Object({ a: type.String(), b: type.Optional(type.Integer()) }, { ...meta, additionalProperties: false }))],
  ['Partial', (type) => type.Partial(type.Object({ a: type.String(meta) }), meta)],
  ['Record', (type) => type.Record(type.String({ pattern: '^a' }), type.Number(), { ...meta, additionalProperties: false })],
  ['String', (type) => type.String({ pattern: '^a', ...meta })],
  ['Union', (type) => type.Union([type.Literal(false), type.Object({ a: type.String() })], meta)],
  ['Unknown', (type) => type.Unknown(meta)],
  ['Unsafe', (type) => type.Unsafe<string>(type.Any(meta))],
  ['Unsafe', (type) => type.Unsafe<string>(type.Function([], type.Any(), meta))],
  ['Unsafe', (type) => type.Unsafe<string>(type.Union([type.Literal('a'), type.Literal('b')], meta))]
]

/** Everything in a schema, in its order, with its symbols. */
function listContents (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Reflect.ownKeys(value).map((key) => [String(key), listContents(Reflect.get(value, key))])
}

for (const [name, build] of BUILDS) {
  t.test(`${name} is that of TypeBox: ${build.toString().replace(/^.*=> /s, '').replace(/\s+/g, ' ')}`, async (t) => {
    t.strictSame(listContents(build(Type)), listContents(build(TypeBox)))
  })
}

t.test('every builder is compared', async (t) => {
  t.strictSame(Object.keys(Type).filter((name) => !BUILDS.some(([compared]) => compared === name)), [])
})

t.test('TypeBox checks values by the exported schemas', async (t) => {
  t.ok(Value.Check(RateLimitOptionsSchema, { max: 1, timeWindow: '1 minute', limits: undefined }))
  t.notOk(Value.Check(RateLimitOptionsSchema, { max: -1 }))
})
