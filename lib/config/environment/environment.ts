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

/** The layer from the environment, and all errors in it. */
export interface ParsedEnvironment {
  /** Valid only without mistakes. */
  readonly layer: Layer
  /** FST_SLUICE_UNKNOWN_OPTION, FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION, each with its variable as the place. */
  readonly mistakes: readonly Error[]
}

const MAX_VARIABLES = 1000

/** Characters. Linux itself allows twice as many. */
const MAX_VALUE_LENGTH = 65_536

/**
 * Parse the options in the environment: `RATE_LIMIT_MAX=100`, `RATE_LIMIT_RULES__LOGIN__TIME_WINDOW=10s`.
 *
 * - Levels are separated by `__`. Options are in upper case with `_` between words; `TIMEWINDOW` means `TIME_WINDOW`.
 * - Rules, tiers and limits are written by their names, in any case, with `_` for `-` and `.`. Names are looked up in
 *   `lower`, the merged options of the layers below. An unknown name creates a new one, in lower case.
 * - `LIMITS__<LIMIT>__...` changes one limit of the same policy in `lower`, or adds one. The layer then holds all of them.
 * - List entries are separated by commas. A list or an object may also be JSON. Empty variables are ignored, and so are
 *   spaces around a value.
 * - `RATE_LIMIT_CONFIG` is skipped. So are the variables that Kubernetes sets for services whose names begin with
 *   `rate-limit`.
 *
 * Never throws: all errors are in `mistakes`, and no message shows a password.
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

/** Sorted, so that the layer does not depend on the order of the variables. */
function listVariables (env: Environment): Array<readonly [variable: string, text: string]> {
  return Object.keys(env).filter((name) => name.startsWith(PREFIX) && name !== CONFIG_FILE_VARIABLE).sort()
    .map((name) => [name, env[name]?.trim() ?? ''] as const)
    .filter(([name, text]) => text !== '' && !isServiceLink(name, text))
}

/** Adds one variable to the tree; returns its error, or `null`. */
function addVariable (tree: EnvironmentTree, variable: string, text: string, lower: LayerOptions): Error | null {
  const resolved = resolveVariable(variable, lower)
  switch (resolved.kind) {
    case 'unknown': return createUnknownVariable(variable, lower)
    case 'ambiguous': {
      const names = resolved.names.map((name) => `"${name}"`).join(' and ')
      return new FST_SLUICE_CONTRADICTION(variable, `is ambiguous: it matches ${names}; rename one of them`)
    }
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
  // A variable name is external input and may contain any character except "=".
  const shown = variable.replace(/[^\w.-]/g, '?')
  const place = shown.length > MAX_SHOWN_LENGTH ? `${shown.slice(0, MAX_SHOWN_LENGTH)}...` : shown
  return new FST_SLUICE_UNKNOWN_OPTION(place, near === null ? '' : `, did you mean "${near}"?`)
}

/** The errors of the environment's options that do not depend on other layers. */
function findOptionErrors (options: unknown, locate: (path: ConfigPath) => string): readonly Error[] {
  const collector = new ErrorCollector(locate)
  reportLayerErrors(environmentForm, options, collector.report)
  return collector.errors
}

const SERVICE_ADDRESS = 'SERVICE_HOST|SERVICE_PORT(?:_\\w+)?'
const PORT_DETAILS = '_\\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?'

/** Variables that Kubernetes sets for a service named `rate-limit`. No option has one of these names. */
const SERVICE_NAMED_RATE_LIMIT = new RegExp(`^RATE_LIMIT_(?:${SERVICE_ADDRESS}|PORT(?:${PORT_DETAILS})?)$`)

const SERVICE_WITH_PREFIX = new RegExp(`^RATE_LIMIT_\\w+_(?:${SERVICE_ADDRESS}|PORT${PORT_DETAILS})$`)

const SERVICE_PORT = /^RATE_LIMIT_\w+_PORT$/

/**
 * Whether Kubernetes set a variable. It gives every container variables for the services around it. Those of a service
 * whose name begins with `rate-limit` look like options.
 */
export function isServiceLink (variable: string, text: string): boolean {
  if (SERVICE_NAMED_RATE_LIMIT.test(variable) || SERVICE_WITH_PREFIX.test(variable)) return true
  // RATE_LIMIT_REDIS_PORT=6380 is a likely mistake of a user and must be reported. Kubernetes sets a URL there.
  return SERVICE_PORT.test(variable) && /^(?:tcp|udp|sctp):\/\//.test(text)
}
