import { Type } from '@sinclair/typebox'
import { RuleSchema } from './policy-schema.js'
import { RateLimitOptionsSchema } from './schema.js'

/** What `reload` takes: the same, and rules of the lower layers by their names only. */
export const ReloadOptionsSchema = Type.Object({
  ...RateLimitOptionsSchema.properties,
  rules: Type.Optional(Type.Array(Type.Object({
    ...RuleSchema.properties, match: Type.Optional(RuleSchema.properties.match)
  }, { additionalProperties: false, expected: RuleSchema.expected }), { maxItems: 1000, expected: 'an array of rules' }))
}, { additionalProperties: false, expected: 'an object of rate-limit options' })
