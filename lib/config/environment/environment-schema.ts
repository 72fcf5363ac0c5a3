import type { TSchema } from '@sinclair/typebox'
import { lazy } from '../../common/lazy.js'
import { DEFAULT_PREFIX, LEVEL, findLevel, formatOption } from './variable-names.js'
import { buildLayerForm, type LayerForm } from '../layers/layer-schema.js'
import { isCodeOnly } from '../schema/schema-values.js'

/** The variable that holds the path of the config file, without the prefix. It is not an option of the layer. */
export const CONFIG_FILE_VARIABLE = 'CONFIG'

/**
 * Every option that a variable may set. A rule needs no `match`, because a lower layer may define it. A variable that changes one
 * limit makes the layer repeat all limits below, including their functions, so these are part of the schema.
 */
export const getEnvironmentForm = lazy((): LayerForm => {
  const form = buildLayerForm({
    redis: 'a URL such as "redis://127.0.0.1:6379", or JSON: ioredis options, { sentinels, name } or { cluster: [nodes] }',
    rules: 'an array of rules',
    needsCodeMessage: 'belongs in the code that registers the plugin; a variable cannot hold it'
  })
  return { ...form, schema: form.known }
})

/** A variable that may be set. */
export interface KnownVariable {
  /** `SLUICE_RULES__<RULE>__TIME_WINDOW` */
  readonly variable: string
  /** The option, with `<RULE>` and the like for names: `rules.<RULE>.timeWindow`. */
  readonly option: string
  readonly schema: TSchema
}

/** Every variable that sets an option, in the order of the schema, for documentation. Functions are left out. */
export function knownVariables (
  schema: TSchema = getEnvironmentForm().schema, variable = DEFAULT_PREFIX.slice(0, -1), option = ''
): KnownVariable[] {
  const level = findLevel(schema)
  if (level === null) return []
  if (level.kind === 'names') {
    const name = `<${variable.split('_').pop()?.replace(/S$/, '')}>`
    const one = { variable: `${variable}${LEVEL}${name}`, option: `${option}.${name}`, schema: level.schema }
    return [one, ...knownVariables(one.schema, one.variable, one.option)]
  }
  return [...level.schemas].filter(([, schema]) => !isCodeOnly(schema)).flatMap(([key, schema]) => {
    const separator = option === '' ? '_' : LEVEL
    const one = { variable: `${variable}${separator}${formatOption(key)}`, option: option === '' ? key : `${option}.${key}`, schema }
    return [one, ...knownVariables(schema, one.variable, one.option)]
  })
}
