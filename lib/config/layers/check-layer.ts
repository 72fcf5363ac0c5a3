import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { tellBackendMistakes } from '../backend/backend-options.js'
import { badOption, tellSchemaMistakes } from '../schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../schema/durations.js'
import { tellIdentityMistakes } from '../schema/identity-schema.js'
import type { ConfigPath } from '../schema/option-path.js'
import type { LayerForm } from './layer-schema.js'
import { tellIn, type Tell } from '../schema/error-collector.js'
import { isCodeOnly, isTable, valuesIn } from '../schema/schema-values.js'

/**
 * Tell what is wrong with the options of a layer without code, as far as they can be judged by themselves. What is wrong
 * only in company shows when the layers are merged.
 *
 * Of one value several mistakes may be told, the plainest first.
 */
export function tellLayerMistakes (form: LayerForm, options: unknown, tell: Tell): void {
  for (const path of codeOnlyPaths(form, options)) tell(path, (place) => new FST_SLUICE_CONTRADICTION(place, form.needsCode))
  tellSchemaMistakes(form.schema, options, tell)
  tellIdentityMistakes(options, tell)
  tellBackendMistakes(options, tell, form.redis)
  for (const { schema, value, path } of valuesIn(form.schema, options)) {
    if (schema.expected === DURATION_EXPECTED && isWritten(value) && durationMs(value) === null) tell(path, (place) => badOption(place, DURATION_EXPECTED, value))
    if (Array.isArray(value)) tellTwins(value, String(path[path.length - 1]), tellIn(path, tell))
  }
}

function isWritten (value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

/** Where options have something that only code can give. */
function codeOnlyPaths ({ known }: LayerForm, options: unknown): ConfigPath[] {
  return [...valuesIn(known, options)].filter(({ schema, value }) => isCodeOnly(schema) && value !== undefined).map(({ path }) => path)
}

/** Rules are known by their names when layers are laid over each other, and so are the limits of a policy. */
function tellTwins (list: readonly unknown[], option: string, tell: Tell): void {
  const indexOfName = new Map<unknown, number>()
  list.forEach((item, index) => {
    if (!isTable(item) || item.name === undefined) return
    const twin = indexOfName.get(item.name)
    if (twin === undefined) indexOfName.set(item.name, index)
    else tell([index, 'name'], (place) => new FST_SLUICE_CONTRADICTION(place, `${option}[${twin}] has the name "${String(item.name)}" already`))
  })
}
