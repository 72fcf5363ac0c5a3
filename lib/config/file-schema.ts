import { Type } from '@sinclair/typebox'
import type { LayerOptions } from './layer.js'
import { layerForm } from './layer-schema.js'

/** What a config file may hold, and the words for it. */
export const configFileForm = layerForm({
  redis: 'a URL, or a table: ioredis options, { sentinels, name } or { cluster: [nodes] }',
  rules: 'an array of rules, each under [[rules]]',
  needsCode: 'belongs in the code that registers the plugin; a file cannot hold it'
})

/**
 * What a config file may hold: every option of `register` that needs no code. A rule needs no `match`, since a lower
 * layer may have made it. As JSON it is a JSON schema, but for the keyword `expected`, which is ours.
 */
export const ConfigFileSchema = Type.Unsafe<LayerOptions>(configFileForm.schema)
