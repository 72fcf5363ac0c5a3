import { toPrintable } from '../../common/printable.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import { badOption } from '../schema/check.js'
import { DEFAULT_PREFIX } from './variable-names.js'
import { resolveVariable } from './variable-path.js'
import { CONFIG_FILE_VARIABLE, getEnvironmentForm } from './environment-schema.js'
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
 * Parse the options in the environment: `SLUICE_MAX=100`, `SLUICE_RULES__LOGIN__TIME_WINDOW=10s`.
 *
 * - Levels are separated by `__`. Options are in upper case with `_` between words; `TIMEWINDOW` means `TIME_WINDOW`.
 * - Rules, tiers and limits are written by their names, in any case, with `_` for `-` and `.`. Names are looked up in
 *   `lower`, the merged options of the layers below. An unknown name creates a new one, in lower case.
 * - `LIMITS__<LIMIT>__...` changes one limit of the same policy in `lower`, or adds one. The layer then holds all of them.
 * - List entries are separated by commas. A list or an object may also be JSON. Empty variables are ignored, and so are
 *   spaces around a value.
 * - `SLUICE_CONFIG` is skipped. So are the variables that Kubernetes sets for services whose names begin with
 *   `sluice`.
 *
 * `prefix`: of the variables, as in the option `environment`.
 *
 * Never throws: all errors are in `mistakes`, and no message shows a password.
 */
export function readEnvironment (env: Environment, lower: LayerOptions = {}, prefix = DEFAULT_PREFIX): ParsedEnvironment {
  const tree = new EnvironmentTree(lower, prefix)
  const locate: Layer['locate'] = (path) => tree.locate(path)
  const variables = listVariables(env, prefix)
  if (variables.length === 0) return { layer: { name: 'environment', options: {}, locate }, mistakes: [] }
  const variableErrors = variables.length > MAX_VARIABLES
    ? [badOption(`${prefix}...`, `at most ${MAX_VARIABLES} variables`, variables.length)]
    : variables.flatMap((variable) => addVariable(tree, variable, lower, prefix) ?? [])
  const options = tree.options()
  const mistakes = [...variableErrors, ...tree.findContradictions(), ...findOptionErrors(options, locate)]
  return { layer: { name: 'environment', options: options as LayerOptions, locate }, mistakes }
}

/** The path of the config file: `SLUICE_CONFIG`, or `null` where it is unset or empty. */
export function getConfigFile (env: Environment, prefix = DEFAULT_PREFIX): string | null {
  return env[prefix + CONFIG_FILE_VARIABLE]?.trim() || null
}

/** One variable of ours. */
interface Variable {
  /** Without the prefix. */
  readonly name: string
  readonly text: string
}

/** Sorted, so that the layer does not depend on the order of the variables. */
function listVariables (env: Environment, prefix: string): Variable[] {
  return Object.keys(env).filter((variable) => variable.startsWith(prefix)).sort()
    .map((variable) => ({ name: variable.slice(prefix.length), text: env[variable]?.trim() ?? '' }))
    .filter(({ name, text }) => name !== CONFIG_FILE_VARIABLE && text !== '' && !isServiceLink(name, text))
}

/** Adds one variable to the tree; returns its error, or `null`. */
function addVariable (tree: EnvironmentTree, { name, text }: Variable, lower: LayerOptions, prefix: string): Error | null {
  const variable = prefix + name
  const resolved = resolveVariable(name, lower)
  switch (resolved.kind) {
    case 'unknown': return createUnknownVariable(name, lower, prefix)
    case 'ambiguous': {
      const names = resolved.names.map((match) => `"${match}"`).join(' and ')
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

function createUnknownVariable (name: string, lower: LayerOptions, prefix: string): Error {
  const near = suggestVariable(name, lower)
  const hint = near === null ? '.' : `, did you mean "${prefix}${near}"?`
  const advice = `Variables that begin with ${prefix} are read as options; \`environment: false\` or another prefix prevents that.`
  return new FST_SLUICE_UNKNOWN_OPTION(toPrintable(prefix + name, MAX_SHOWN_LENGTH), `${hint} ${advice}`)
}

/** The errors of the environment's options that do not depend on other layers. */
function findOptionErrors (options: unknown, locate: (path: ConfigPath) => string): readonly Error[] {
  const collector = new ErrorCollector(locate)
  reportLayerErrors(getEnvironmentForm(), options, collector.report)
  return collector.errors
}

const WORD = /^\w+$/

/** Variables that Kubernetes sets for a service named `sluice` or `sluice-...`. No option has one of these names. For a `WORD`. */
const SERVICE = /(?:^|\w_)(?:SERVICE_HOST$|SERVICE_PORT(?:_\w|$)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$)/

const SERVICE_PORT = /^\w+_PORT$/

/**
 * Whether Kubernetes set a variable. It gives every container variables for the services around it. Those of a service
 * whose name begins with the prefix look like options. `name`: the variable without its prefix.
 */
export function isServiceLink (name: string, text: string): boolean {
  if (name === 'PORT' || (WORD.test(name) && SERVICE.test(name))) return true
  // SLUICE_REDIS_PORT=6380 is a likely mistake of a user and must be reported. Kubernetes sets a URL there.
  return SERVICE_PORT.test(name) && /^(?:tcp|udp|sctp):\/\//.test(text)
}
