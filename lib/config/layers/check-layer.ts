import { isRecord } from '../../common/type-guards.js'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { reportBackendErrors } from '../backend/backend-options.js'
import { badOption, reportSchemaErrors } from '../schema/check.js'
import { createDuplicateNameError, findDuplicateNames } from '../schema/duplicate-names.js'
import { DURATION_EXPECTED, durationMs } from '../schema/durations.js'
import { reportAt, type Report } from '../schema/error-collector.js'
import { findPeriodFault } from '../schema/limit-fields.js'
import { reportIdentityErrors } from '../schema/identity-schema.js'
import type { ConfigPath } from '../schema/option-path.js'
import { LIMIT_EXPECTED } from '../schema/policy-schema.js'
import { isCodeOnly, walkValues } from '../schema/schema-values.js'
import type { LayerForm } from './layer-schema.js'

/**
 * Report every error in the options of a layer without code that does not depend on another layer. Merging the layers
 * finds the others.
 *
 * Several errors may be reported for one value, the plainest first.
 */
export function reportLayerErrors (form: LayerForm, options: unknown, report: Report): void {
  for (const path of findCodeOnlyPaths(form, options)) report(path, (place) => new FST_SLUICE_CONTRADICTION(place, form.needsCodeMessage))
  reportSchemaErrors(form.schema, options, report)
  reportIdentityErrors(options, report)
  reportBackendErrors(options, report, form.redis)
  for (const { schema, value, path } of walkValues(form.schema, options)) {
    if (schema.expected === DURATION_EXPECTED && isTextOrNumber(value) && durationMs(value) === null) {
      report(path, (place) => badOption(place, DURATION_EXPECTED, value))
    }
    const fault = findPeriodFault(schema.expected, value)
    if (fault !== null) report(path, (place) => badOption(place, fault, value))
    if (schema.expected === LIMIT_EXPECTED && isRecord(value) && value.timeWindow === undefined && value.period === undefined) {
      report([...path, 'timeWindow'], (place) => badOption(place, DURATION_EXPECTED, undefined))
    }
    if (Array.isArray(value)) reportDuplicateNames(value, String(path[path.length - 1]), reportAt(path, report))
  }
}

function isTextOrNumber (value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

/** Paths of values that only code can give. */
function findCodeOnlyPaths ({ known }: LayerForm, options: unknown): ConfigPath[] {
  return [...walkValues(known, options)].filter(({ schema, value }) => isCodeOnly(schema) && value !== undefined).map(({ path }) => path)
}

/** Layers are merged by the names of rules and limits, so a name must be unique. */
function reportDuplicateNames (list: readonly unknown[], option: string, report: Report): void {
  const names = list.map((item) => isRecord(item) ? item.name : undefined)
  for (const { index, firstIndex, name } of findDuplicateNames(names)) {
    report([index, 'name'], (place) => createDuplicateNameError(place, `${option}[${firstIndex}]`, name))
  }
}
