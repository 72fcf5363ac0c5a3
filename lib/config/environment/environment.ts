import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import { badOption } from '../schema/check.js'
import { PREFIX } from './variable-names.js'
import { resolveVariable } from './variable-path.js'
import { CONFIG_FILE_VARIABLE, environmentForm } from './environment-schema.js'
import { suggestVariable } from './suggest-variable.js'
import { EnvironmentTree } from './variable-tree.js'
import { parseValue } from './parse-value.js'
import { reportLayerErrors } from '../layers/check-layer.js'
import type { Layer, LayerOptions } from '../layers/layer.js'
import { ErrorCollector } from '../schema/error-collector.js'
import type { ConfigPath } from '../schema/option-path.js'

/** Variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says, and everything that is wrong with it. */
export interface ParsedEnvironment {
  /** To be used only where there are no mistakes. */
  readonly layer: Layer
  /** FST_SLUICE_UNKNOWN_OPTION, FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION, each with its variable as the place. */
  readonly mistakes: readonly Error[]
}

const MAX_VARIABLES = 1000

/** Characters; Linux itself allows twice as much. */
const MAX_VALUE_LENGTH = 65_536

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
export function readEnvironment (env: Environment, lower: LayerOptions = {}): ParsedEnvironment {
  const tree = new EnvironmentTree(lower)
  const variables = listVariables(env)
  const variableErrors = variables.length > MAX_VARIABLES
    ? [badOption(`${PREFIX}...`, `at most ${MAX_VARIABLES} variables`, variables.length)]
    : variables.flatMap(([variable, text]) => addVariable(tree, variable, text, lower) ?? [])
  const options = tree.options()
  const locate: Layer['locate'] = (path) => tree.locate(path)
  const mistakes = [...variableErrors, ...tree.findContradictions(), ...findOptionErrors(options, locate)]
  return { layer: { name: 'environment', options: options as LayerOptions, locate }, mistakes }
}

/** The path of the config file: `RATE_LIMIT_CONFIG`, or `null` where it is unset or empty. */
export function getConfigFile (env: Environment): string | null {
  return env[CONFIG_FILE_VARIABLE]?.trim() || null
}

/** Sorted, so that the same variables are the same layer in whatever order they were set. */
function listVariables (env: Environment): Array<readonly [variable: string, text: string]> {
  return Object.keys(env).filter((name) => name.startsWith(PREFIX) && name !== CONFIG_FILE_VARIABLE).sort()
    .map((name) => [name, env[name]?.trim() ?? ''] as const)
    .filter(([name, text]) => text !== '' && !isServiceLink(name, text))
}

/** What is wrong with one variable, or `null`. */
function addVariable (tree: EnvironmentTree, variable: string, text: string, lower: LayerOptions): Error | null {
  const resolved = resolveVariable(variable, lower)
  switch (resolved.kind) {
    case 'unknown': return createUnknownVariable(variable, lower)
    case 'ambiguous': return new FST_SLUICE_CONTRADICTION(variable, `means ${resolved.names.map((name) => `"${name}"`).join(' and ')} alike; rename one of them`)
    case 'option': break
    default: return resolved satisfies never
  }
  const { path, schema } = resolved
  if (text.length > MAX_VALUE_LENGTH) return badOption(variable, `at most ${MAX_VALUE_LENGTH} characters`, text.length)
  const parsed = parseValue(schema, text)
  if (parsed.kind === 'value') return tree.add({ variable, path, value: parsed.value })
  return new FST_SLUICE_BAD_OPTION(variable, parsed.expected, parsed.found)
}

const MAX_SHOWN_LENGTH = 100

function createUnknownVariable (variable: string, lower: LayerOptions): Error {
  const near = suggestVariable(variable, lower)
  // Names come from outside, and may have anything in them but "=".
  const shown = variable.replace(/[^\w.-]/g, '?')
  const place = shown.length > MAX_SHOWN_LENGTH ? `${shown.slice(0, MAX_SHOWN_LENGTH)}...` : shown
  return new FST_SLUICE_UNKNOWN_OPTION(place, near === null ? '' : `, did you mean "${near}"?`)
}

/** What is wrong with options from the environment, as far as they can be judged by themselves. */
function findOptionErrors (options: unknown, locate: (path: ConfigPath) => string): readonly Error[] {
  const collector = new ErrorCollector(locate)
  reportLayerErrors(environmentForm, options, collector.report)
  return collector.errors
}

/** What Kubernetes says of a service: by name where it is `rate-limit`, for none of our options is called so. */
const SERVICE_NAMED_RATE_LIMIT = /^RATE_LIMIT_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

const SERVICE_WITH_PREFIX = /^RATE_LIMIT_\w+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

const SERVICE_PORT = /^RATE_LIMIT_\w+_PORT$/

/**
 * Whether Kubernetes has set a variable, which tells every container where the services around it are: those of one
 * that is called `rate-limit`, or begins so, look like ours.
 */
export function isServiceLink (variable: string, text: string): boolean {
  // Somebody may write RATE_LIMIT_REDIS_PORT=6380 and believe it; Kubernetes writes a URL there.
  return SERVICE_NAMED_RATE_LIMIT.test(variable) || SERVICE_WITH_PREFIX.test(variable) || (SERVICE_PORT.test(variable) && /^(?:tcp|udp|sctp):\/\//.test(text))
}
