import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import { badOption } from '../schema/check.js'
import { PREFIX } from './variable-names.js'
import { meaningOf } from './variable-path.js'
import { CONFIG_FILE_VARIABLE, environmentForm } from './environment-schema.js'
import { suggestionFor } from './suggest-variable.js'
import { EnvironmentTree } from './variable-tree.js'
import { readValue } from './parse-value.js'
import { tellLayerMistakes } from '../layers/check-layer.js'
import type { Layer, LayerOptions } from '../layers/layer.js'
import { Mistakes } from '../schema/error-collector.js'
import type { ConfigPath } from '../schema/option-path.js'

/** Variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says, and everything that is wrong with it. */
export interface EnvironmentReading {
  /** To be used only where there are no mistakes. */
  readonly layer: Layer
  /** FST_SLUICE_UNKNOWN_OPTION, FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION, each with its variable as the place. */
  readonly mistakes: readonly Error[]
}

const MOST_VARIABLES = 1000

/** Characters; Linux itself allows twice as much. */
const LONGEST_VALUE = 65_536

/**
 * Read the options that the environment gives: `RATE_LIMIT_MAX=100`, `RATE_LIMIT_RULES__LOGIN__TIME_WINDOW=10s`.
 *
 * - Levels are separated by `__`. Options are in upper case with `_` between words; `TIMEWINDOW` means `TIME_WINDOW`.
 * - Rules, tiers and limits go by their names, in any case, with `_` for `-` and `.`. The names are looked up in `lower`,
 *   the merged options of the layers below; one that they do not know is a new one, in lower case.
 * - `LIMITS__<LIMIT>__...` changes one of the limits of the same policy in `lower`, or adds one; the layer then holds all of them.
 * - Lists have commas. Lists and objects as a whole may be JSON. An empty variable is as good as none, and spaces around a
 *   value do not count.
 * - `RATE_LIMIT_CONFIG`, and what Kubernetes says of services whose names begin with `rate-limit`, are passed over.
 *
 * Throws nothing: all that is wrong is in `mistakes`, and no mistake shows a password.
 */
export function readEnvironment (env: Environment, lower: LayerOptions = {}): EnvironmentReading {
  const tree = new EnvironmentTree(lower)
  const variables = ourVariables(env)
  const unread = variables.length > MOST_VARIABLES
    ? [badOption(`${PREFIX}...`, `at most ${MOST_VARIABLES} variables`, variables.length)]
    : variables.flatMap(([variable, text]) => addVariable(tree, variable, text, lower) ?? [])
  const options = tree.options()
  const placeOf: Layer['placeOf'] = (path) => tree.placeOf(path)
  const mistakes = [...unread, ...tree.contradictions(), ...mistakesInOptions(options, placeOf)]
  return { layer: { name: 'environment', options: options as LayerOptions, placeOf }, mistakes }
}

/** The path of the config file: `RATE_LIMIT_CONFIG`, or `null` where it is unset or empty. */
export function configFileOf (env: Environment): string | null {
  return env[CONFIG_FILE_VARIABLE]?.trim() || null
}

/** Sorted, so that the same variables are the same layer in whatever order they were set. */
function ourVariables (env: Environment): Array<readonly [variable: string, text: string]> {
  return Object.keys(env).filter((name) => name.startsWith(PREFIX) && name !== CONFIG_FILE_VARIABLE).sort()
    .map((name) => [name, env[name]?.trim() ?? ''] as const)
    .filter(([name, text]) => text !== '' && !isServiceLink(name, text))
}

/** What is wrong with one variable, or `null`. */
function addVariable (tree: EnvironmentTree, variable: string, text: string, lower: LayerOptions): Error | null {
  const meaning = meaningOf(variable, lower)
  switch (meaning.kind) {
    case 'unknown': return unknownVariable(variable, lower)
    case 'ambiguous': return new FST_SLUICE_CONTRADICTION(variable, `means ${meaning.names.map((name) => `"${name}"`).join(' and ')} alike; rename one of them`)
    case 'option': break
    default: return meaning satisfies never
  }
  const { path, schema } = meaning
  if (text.length > LONGEST_VALUE) return badOption(variable, `at most ${LONGEST_VALUE} characters`, text.length)
  const reading = readValue(schema, text)
  if (reading.kind === 'value') return tree.add({ variable, path, value: reading.value })
  return new FST_SLUICE_BAD_OPTION(variable, reading.expected, reading.found)
}

const LONGEST_NAME_SHOWN = 100

function unknownVariable (variable: string, lower: LayerOptions): Error {
  const near = suggestionFor(variable, lower)
  // Names come from outside, and may have anything in them but "=".
  const shown = variable.replace(/[^\w.-]/g, '?')
  const place = shown.length > LONGEST_NAME_SHOWN ? `${shown.slice(0, LONGEST_NAME_SHOWN)}...` : shown
  return new FST_SLUICE_UNKNOWN_OPTION(place, near === null ? '' : `, did you mean "${near}"?`)
}

/** What is wrong with options from the environment, as far as they can be judged by themselves. */
function mistakesInOptions (options: unknown, placeOf: (path: ConfigPath) => string): readonly Error[] {
  const mistakes = new Mistakes(placeOf)
  tellLayerMistakes(environmentForm, options, mistakes.tell)
  return mistakes.errors
}

/** What Kubernetes says of a service: by name where it is `rate-limit`, for none of our options is called so. */
const OF_OUR_NAME = /^RATE_LIMIT_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

const OF_A_LONGER_NAME = /^RATE_LIMIT_\w+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

const PORT = /^RATE_LIMIT_\w+_PORT$/

/**
 * Whether Kubernetes has set a variable, which tells every container where the services around it are: those of one
 * that is called `rate-limit`, or begins so, look like ours.
 */
export function isServiceLink (variable: string, text: string): boolean {
  // Somebody may write RATE_LIMIT_REDIS_PORT=6380 and believe it; Kubernetes writes a URL there.
  return OF_OUR_NAME.test(variable) || OF_A_LONGER_NAME.test(variable) || (PORT.test(variable) && /^(?:tcp|udp|sctp):\/\//.test(text))
}
