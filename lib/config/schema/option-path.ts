import { toPrintable } from '../../common/printable.js'

/** The steps from the root of the options to a value: names of options, indexes of arrays, names of tiers. */
export type ConfigPath = ReadonlyArray<string | number>

/** A path as it is written in a message: `rateLimit.rules[2].max`. */
export function formatPath (root: string, path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? formatKey(step) : `${text}.${formatKey(step)}`
  }, root)
}

const MAX_KEY_LENGTH = 64

/** A key as it is where it is a name; else in quotes. */
function formatKey (key: string): string {
  return /^[\w.-]+$/.test(key) && key.length <= MAX_KEY_LENGTH ? key : `"${toPrintable(JSON.stringify(key).slice(1, -1), MAX_KEY_LENGTH)}"`
}
