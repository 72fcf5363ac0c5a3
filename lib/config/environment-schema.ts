import { Type, type TSchema } from '@sinclair/typebox'
import { RuleSchema } from './policy-schema.js'
import { isCodeOnly, LEVEL, levelOf, PREFIX, spelledOption } from './environment-names.js'
import { RateLimitOptionsSchema } from './schema.js'

/** The variable that holds the path of the config file; it is no option of the layer. */
export const CONFIG_FILE_VARIABLE = `${PREFIX}CONFIG`

export const REDIS_EXPECTED = 'a URL such as "redis://127.0.0.1:6379", or JSON: ioredis options, { sentinels, name } or { cluster: [nodes] }'

// The file is read before the environment is, so it cannot be named by an option of this layer.
const { configFile: _, ...options }: Record<string, TSchema> = RateLimitOptionsSchema.properties

/** What the environment may say: every option, and a rule that a lower layer has made without its `match`. */
export const EnvironmentSchema = Type.Object({
  ...withoutFunctionWords(options),
  redis: Type.Optional(Type.Union([Type.String(), Type.Object({})], {
    expected: REDIS_EXPECTED, description: options.redis.description
  })),
  rules: Type.Optional(Type.Array(Type.Object({
    ...withoutFunctionWords(RuleSchema.properties), match: Type.Optional(RuleSchema.properties.match)
  }, { additionalProperties: false, expected: RuleSchema.expected }), { maxItems: 1000, expected: 'an array of rules', description: options.rules.description }))
}, { additionalProperties: false, expected: RateLimitOptionsSchema.expected })

/** Functions are still told of, but nobody is told to give one. */
function withoutFunctionWords (options: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(options).map(([key, schema]) => {
    const expected = schema.expected?.replace(/, or a function$/, '')
    return [key, expected === schema.expected ? schema : { ...schema, expected }]
  }))
}

/** A variable that may be set. */
export interface KnownVariable {
  /** `RATE_LIMIT_RULES__<RULE>__TIME_WINDOW` */
  readonly variable: string
  /** The option, with `<RULE>` and the like for names: `rules.<RULE>.timeWindow`. */
  readonly option: string
  readonly schema: TSchema
}

/** Every variable that is an option, in the schema's order, for documentation. Functions are not among them. */
export function knownVariables (schema: TSchema = EnvironmentSchema, variable = PREFIX.slice(0, -1), option = ''): KnownVariable[] {
  const level = levelOf(schema)
  if (level === null) return []
  if (level.kind === 'names') {
    const name = `<${variable.split('_').pop()?.replace(/S$/, '')}>`
    const one = { variable: `${variable}${LEVEL}${name}`, option: `${option}.${name}`, schema: level.schema }
    return [one, ...knownVariables(one.schema, one.variable, one.option)]
  }
  return [...level.schemas].filter(([, schema]) => !isCodeOnly(schema)).flatMap(([key, schema]) => {
    const separator = option === '' ? '_' : LEVEL
    const one = { variable: `${variable}${separator}${spelledOption(key)}`, option: option === '' ? key : `${option}.${key}`, schema }
    return [one, ...knownVariables(schema, one.variable, one.option)]
  })
}
