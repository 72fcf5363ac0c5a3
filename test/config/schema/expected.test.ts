// A wrong value is answered with what it should be. Every schema of a value must say so, or the message would be TypeBox's own.
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { OptionsSchema } from '../../../lib/compat/options.js'
import { configFileForm } from '../../../lib/config/file/check-file.js'
import { RouteRateLimitSchema } from '../../../lib/config/schema/policy-schema.js'
import { ReloadOptionsSchema } from '../../../lib/config/schema/options-schema.js'
import { listAlternatives } from '../../../lib/config/schema/schema-values.js'
import { RateLimitOptionsSchema } from '../../../lib/config/schema/options-schema.js'

function innerOf (schema: TSchema): Array<readonly [step: string, schema: TSchema]> {
  return listAlternatives(schema).flatMap(({ properties = {}, patternProperties = {}, items }) => [
    ...Object.entries<TSchema>(properties).map(([key, inner]) => [`.${key}`, inner] as const),
    ...Object.values<TSchema>(patternProperties).map((inner) => ['.*', inner] as const),
    ...items === undefined ? [] : [['[]', items] as const]
  ])
}

/** Places whose schema is silent. Anything at all is right for a schema without conditions. */
function silentIn (schema: TSchema, place: string): string[] {
  const isSilent = schema.expected === undefined && (schema.type ?? schema.anyOf ?? schema.const) !== undefined
  return [...isSilent ? [place] : [], ...innerOf(schema).flatMap(([step, inner]) => silentIn(inner, place + step))]
}

for (const [name, schema] of Object.entries({ register: RateLimitOptionsSchema, route: RouteRateLimitSchema, reload: ReloadOptionsSchema, file: configFileForm.schema, compat: OptionsSchema })) {
  t.test(`every value of ${name} says what it must be`, async (t) => {
    t.strictSame(silentIn(schema, name), [])
  })
}
