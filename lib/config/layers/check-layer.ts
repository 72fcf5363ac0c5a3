import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { reportBackendErrors } from '../backend/backend-options.js'
import { badOption, reportSchemaErrors } from '../schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../schema/durations.js'
import { reportIdentityErrors } from '../schema/identity-schema.js'
import type { ConfigPath } from '../schema/option-path.js'
import type { LayerForm } from './layer-schema.js'
import { reportAt, type Report } from '../schema/error-collector.js'
import { isCodeOnly, isTable, walkValues } from '../schema/schema-values.js'

/**
 * Tell what is wrong with the options of a layer without code, as far as they can be judged by themselves. What is wrong
 * only in company shows when the layers are merged.
 *
 * Of one value several mistakes may be told, the plainest first.
 */
export function reportLayerErrors (form: LayerForm, options: unknown, report: Report): void {
  for (const path of findCodeOnlyPaths(form, options)) report(path, (place) => new FST_SLUICE_CONTRADICTION(place, form.needsCodeMessage))
  reportSchemaErrors(form.schema, options, report)
  reportIdentityErrors(options, report)
  reportBackendErrors(options, report, form.redis)
  for (const { schema, value, path } of walkValues(form.schema, options)) {
    if (schema.expected === DURATION_EXPECTED && isTextOrNumber(value) && durationMs(value) === null) report(path, (place) => badOption(place, DURATION_EXPECTED, value))
    if (Array.isArray(value)) reportDuplicateNames(value, String(path[path.length - 1]), reportAt(path, report))
  }
}

function isTextOrNumber (value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

/** Where options have something that only code can give. */
function findCodeOnlyPaths ({ known }: LayerForm, options: unknown): ConfigPath[] {
  return [...walkValues(known, options)].filter(({ schema, value }) => isCodeOnly(schema) && value !== undefined).map(({ path }) => path)
}

/** Rules are known by their names when layers are laid over each other, and so are the limits of a policy. */
function reportDuplicateNames (list: readonly unknown[], option: string, report: Report): void {
  const indexOfName = new Map<unknown, number>()
  list.forEach((item, index) => {
    if (!isTable(item) || item.name === undefined) return
    const firstIndex = indexOfName.get(item.name)
    if (firstIndex === undefined) indexOfName.set(item.name, index)
    else report([index, 'name'], (place) => new FST_SLUICE_CONTRADICTION(place, `${option}[${firstIndex}] has the name "${String(item.name)}" already`))
  })
}
