import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { isRecord } from '../../common/type-guards.js'
import { badOption } from '../schema/check.js'
import type { LayerOptions } from '../layers/layer.js'
import { buildLayerForm } from '../layers/layer-schema.js'
import { reportLayerErrors } from '../layers/check-layer.js'
import { reportAt, type ErrorCollector, type Report } from '../schema/error-collector.js'
import { NAME_EXPECTED } from '../schema/option-types.js'
import { REPLACED_FIELDS } from '../schema/policy-fields.js'
import { walkValues } from '../schema/schema-values.js'
import { Type } from '../schema/type-builder.js'

/** What a config file may contain, and the texts for its messages. */
export const configFileForm = buildLayerForm({
  redis: 'a URL, or a table: ioredis options, { sentinels, name } or { cluster: [nodes] }',
  rules: 'an array of rules, each under [[rules]]',
  needsCodeMessage: 'belongs in the code that registers the plugin; a file cannot hold it'
})

/**
 * What a config file may contain: every option of `register` that needs no code. A rule needs no `match`, since a lower
 * layer may define it. Serialized to JSON it is a JSON schema, with one keyword of our own: `expected`.
 */
export const ConfigFileSchema = Type.Unsafe<LayerOptions>(configFileForm.schema)

/** Options of a file, not validated yet. */
type Table = Readonly<Record<string, unknown>>

/** Report the errors of a file's options by themselves. Conflicts with other layers are reported when the layers are merged. */
export function checkFileOptions (options: Table, { report }: ErrorCollector): void {
  if ('configFile' in options) {
    const message = 'a config file cannot name another one; give it to register, or as SLUICE_CONFIG'
    report(['configFile'], (place) => new FST_SLUICE_CONTRADICTION(place, message))
  }
  if ('environment' in options) {
    const message = 'a config file cannot choose the variables to read; give it to register'
    report(['environment'], (place) => new FST_SLUICE_CONTRADICTION(place, message))
  }
  reportInvalidNames(options, report)
  reportLayerErrors(configFileForm, options, report)
  for (const { value, path } of walkValues(configFileForm.schema, options)) {
    if (isRecord(value) && Array.isArray(value.limits)) reportLimitConflicts(value, reportAt(path, report))
  }
}

/** The schema reports them too, but at the position of the table around them. */
function reportInvalidNames (options: Table, report: Report): void {
  for (const { schema: { patternProperties }, value, path } of walkValues(configFileForm.schema, options)) {
    if (patternProperties === undefined || !isRecord(value)) continue
    const patterns = Object.keys(patternProperties).map((pattern) => new RegExp(pattern))
    for (const name of Object.keys(value).filter((key) => !patterns.some((pattern) => pattern.test(key)))) {
      report([...path, name], (place) => badOption(place, NAME_EXPECTED, name))
    }
  }
}

function reportLimitConflicts (policy: Table, report: Report): void {
  for (const field of REPLACED_FIELDS) {
    if (policy[field] === undefined) continue
    report([field], (place) => new FST_SLUICE_CONTRADICTION(place, 'contradicts limits; put it into one of them'))
  }
}
