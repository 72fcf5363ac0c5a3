// Values are checked without TypeBox. Its own errors are the reference: for every value, the same errors in the same order.
import type { TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import fc from 'fast-check'
import t from 'tap'
import { OptionsSchema } from '../../../lib/compat/options.js'
import { configFileForm } from '../../../lib/config/file/check-file.js'
import { RateLimitOptionsSchema } from '../../../lib/config/schema/options-schema.js'
import { RouteRateLimitSchema } from '../../../lib/config/schema/policy-schema.js'
import { findSchemaErrors } from '../../../lib/config/schema/schema-errors.js'
import { getKind, Type } from '../../../lib/config/schema/type-builder.js'
import { assertProperty } from '../../fixtures/property.js'

interface Found { readonly path: string, readonly schema: TSchema, readonly value: unknown, readonly isUnknownKey: boolean }

/** The errors of TypeBox, where a union whose value is an object has those of the alternative for objects. */
function * flattenUnion (problem: ValueError): Generator<ValueError> {
  if (problem.type === ValueErrorType.Union) {
    for (const errors of problem.errors) {
      const [first, ...others] = [...errors]
      if (first === undefined || first.path.length <= problem.path.length) continue
      for (const error of [first, ...others]) yield * flattenUnion(error)
      return
    }
  }
  yield problem
}

function errorsOfTypeBox (schema: TSchema, value: unknown): Found[] {
  return [...Value.Errors(schema, value)].flatMap((error) => [...flattenUnion(error)]).map((error) => (
    { path: error.path, schema: error.schema, value: error.value, isUnknownKey: error.type === ValueErrorType.ObjectAdditionalProperties }
  ))
}

function ownErrors (schema: TSchema, value: unknown): Found[] {
  return [...findSchemaErrors(schema, value)].map(({ path, ...error }) => (
    { path: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''), ...error }
  ))
}

/** The first of each value, which is the one that is reported. */
function firstOfEach (errors: readonly Found[]): Found[] {
  return errors.filter(({ path }, index) => errors.findIndex((other) => other.path === path) === index)
}

const JUNK = fc.constantFrom<unknown>(null, undefined, true, -1, 1.5, NaN, Infinity, 10n, '', 'a', [], ['a'], {}, { a: 1 }, () => 1, Symbol('a'))
const TEXTS = ['', 'a', 'x'.repeat(65), '/path', '1 minute', '{', 'SLUICE_', 'GET', 'sub', '2xx', '10.0.0.0/8']
const NUMBERS = [-1, 0, 0.5, 1, 16, 17, 599, 1000, 1001, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53]
const NAMES = fc.constantFrom('premium', '1', 'a b', 'a/b~c', '')

/** Values that are nearly right, with something wrong here and there. */
function nearly (schema: TSchema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: rightly(schema) }, { weight: 1, arbitrary: JUNK })
}

function rightly (schema: TSchema): fc.Arbitrary<unknown> {
  switch (getKind(schema)) {
    case 'Object': {
      const properties = Object.entries<TSchema>(schema.properties).map(([key, inner]) => [key, nearly(inner)] as const)
      const known = fc.record(Object.fromEntries(properties), { requiredKeys: [] })
      return fc.tuple(known, fc.option(NAMES, { freq: 8, nil: null })).map(([value, name]) => name === null ? value : { ...value, [name]: 1 })
    }
    case 'Record': return fc.dictionary(NAMES, nearly(Object.values<TSchema>(schema.patternProperties)[0]), { maxKeys: 3 })
    case 'Array': return fc.array(nearly(schema.items), { maxLength: 3 })
    case 'Union': return fc.oneof(...(schema.anyOf as TSchema[]).map(nearly))
    case 'Literal': return fc.constant(schema.const)
    case 'Boolean': return fc.boolean()
    case 'Integer': case 'Number': return fc.constantFrom(...NUMBERS)
    case 'String': return fc.constantFrom(...TEXTS)
    case 'Function': return fc.constant(() => 1)
    default: return JUNK
  }
}

const Kinds = Type.Object({
  texts: Type.Array(Type.String({ minLength: 1, maxLength: 4, pattern: '^a' }), { minItems: 1, maxItems: 2 }),
  nothing: Type.Optional(Type.Union([Type.Null(), Type.Number({ minimum: 0.5, maximum: 16 })])),
  never: Type.Optional(Type.Never()),
  flags: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.Boolean(), { additionalProperties: false })),
  anything: Type.Unknown(),
  open: Type.Optional(Type.Object({ a: Type.Literal(1) }))
})

for (const [name, schema] of Object.entries({ kinds: Kinds, register: RateLimitOptionsSchema, route: RouteRateLimitSchema, file: configFileForm.schema, compat: OptionsSchema })) {
  t.test(`the errors of TypeBox are found: ${name}`, async (t) => {
    let wrong = 0
    assertProperty(nearly(schema), 400, (value) => {
      const found = firstOfEach(ownErrors(schema, value))
      if (found.length > 0) wrong++
      const expected = firstOfEach(errorsOfTypeBox(schema, value))
      if (found.length !== expected.length) throw new Error(`${found.map(({ path }) => path)} instead of ${expected.map(({ path }) => path)}`)
      for (const [index, { path, schema, value, isUnknownKey }] of expected.entries()) {
        const own = found[index]
        if (own.path !== path || own.schema !== schema || !Object.is(own.value, value) || own.isUnknownKey !== isUnknownKey) {
          throw new Error(`${own.path} instead of ${path}`)
        }
      }
    })
    t.ok(wrong > 20, `${wrong} wrong values`)
  })
}
