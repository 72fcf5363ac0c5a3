import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { badOption } from './check.js'
import { configFileForm } from './file-schema.js'
import { tellLayerMistakes } from './layer-checks.js'
import { tellIn, type Mistakes, type Tell } from './mistakes.js'
import { NAME_EXPECTED } from './notation.js'
import { isTable, valuesIn } from './schema-values.js'

/** Options of a file, before anything is known about them. */
type Table = Readonly<Record<string, unknown>>

/** Collect what is wrong with a file's options by themselves. What is wrong only in company shows when the layers are merged. */
export function checkFileOptions (options: Table, { tell }: Mistakes): void {
  if ('configFile' in options) {
    tell(['configFile'], (place) => new FST_SLUICE_CONTRADICTION(place, 'a config file cannot name another; give it to register, or as RATE_LIMIT_CONFIG'))
  }
  tellNames(options, tell)
  tellLayerMistakes(configFileForm, options, tell)
  for (const { value, path } of valuesIn(configFileForm.schema, options)) {
    if (isTable(value) && Array.isArray(value.limits)) tellLimits(value, tellIn(path, tell))
  }
}

/** The schema would tell them too, but of the table around them. */
function tellNames (options: Table, tell: Tell): void {
  for (const { schema: { patternProperties }, value, path } of valuesIn(configFileForm.schema, options)) {
    if (patternProperties === undefined || !isTable(value)) continue
    for (const name of Object.keys(value).filter((key) => !Object.keys(patternProperties).some((pattern) => new RegExp(pattern).test(key)))) {
      tell([...path, name], (place) => badOption(place, NAME_EXPECTED, name))
    }
  }
}

function tellLimits (policy: Table, tell: Tell): void {
  for (const field of ['max', 'timeWindow', 'burst']) {
    if (policy[field] === undefined) continue
    tell([field], (place) => new FST_SLUICE_CONTRADICTION(place, 'contradicts limits; put it into one of them'))
  }
}
