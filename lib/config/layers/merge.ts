import { isLocated } from '../../errors.js'
import { badOption, checkOptions } from '../schema/check.js'
import { formatPath, type ConfigPath } from '../schema/option-path.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from '../schema/options-schema.js'
import { RouteRateLimitSchema, type RouteRateLimit } from '../schema/policy-schema.js'
import { resolveOptions, type ResolvedOptions } from '../schema/resolve-options.js'
import { suggestNearest } from '../schema/suggest.js'
import { builtInPolicy, freezePolicy, inheritPolicy, type InheritedPolicy } from './inherit-policy.js'
import type { Layer } from './layer.js'
import { getItems, getLeafValue, locateSource, toLayerTree, toOptions, toPolicyTree, type Branch, type SourceName } from './option-tree.js'
import { definesLimits, mergeTrees } from './overlay.js'
import { findSource, parsePath } from './tree-paths.js'

/** Which layer gave a value, and its place there, as a message begins. */
export interface Origin {
  readonly layer: SourceName
  readonly place: string
}

/** The options of several layers as one. */
export interface MergedOptions {
  /** The sources, lowest first. */
  readonly layers: readonly Layer[]
  /** As if one source contained them all: new objects, checked against the schema. */
  readonly options: RateLimitOptions
  /** The same, with every default of the schema, except for options of policies. */
  readonly resolved: ResolvedOptions
  /** `options` as a tree, each value with the place where it was written. */
  readonly root: Branch
  /** The layer that gave the value at a path of `options`, or `null`. For an object: the lowest layer that has it. */
  readonly findOrigin: (path: ConfigPath) => Origin | null
  /** Where the value at a path of `options` was written, or the nearest value around it, as a message begins. */
  readonly locate: (path: ConfigPath) => string
  /**
   * The checked options of a route in code, with every limit field that they inherit from the default policy in code. So
   * a file that changes the default does not change the meaning of a route's own `{ max: 5 }`.
   *
   * `place`: where they are written. Throws FST_SLUICE_CONTRADICTION with it, if the default policy in code has several limits.
   */
  readonly buildRouteOptions: (options: RouteRateLimit, place: string) => RouteRateLimit
  /** The same as a tree, each value with the place where it was written. */
  readonly buildRouteTree: (options: RouteRateLimit, place: string) => Branch
}

const ROOT = 'rateLimit'

/** The checked options of `register`, as the lowest layer. */
export function registerLayer (options: RateLimitOptions): Layer {
  return { name: 'register', options, locate: (path) => formatPath(ROOT, path) }
}

/**
 * Merge several checked layers, lowest first, into one set of options.
 *
 * Each policy is layered on its own, by name: the default policy, each rule, each tier. A layer's `limits`, or `max` with
 * `timeWindow`, replace all limits of the lower layers. One field alone changes that field of a single limit. A new `max`
 * drops a `burst` that was written for another. A policy with own limits may inherit a field from the default policy. It
 * keeps that field as it was in the layers up to its own. All other options are merged field by field, arrays and `redis` whole.
 *
 * Throws FST_SLUICE_CONTRADICTION if a layer gives one field and there are several limits, or two rules of one name.
 * Throws FST_SLUICE_BAD_OPTION if no layer gives a rule its `match`. Both with the place in the layer.
 */
export function mergeLayers (layers: readonly Layer[]): MergedOptions {
  const trees = layers.map(toLayerTree)
  const root = trees.reduce(mergeTrees, toLayerTree(registerLayer({})))
  const locate = (path: ConfigPath) => locateSource(findSource(root, path).source)
  checkMatches(root)
  const options = toOptions(root)
  checkOptions(RateLimitOptionsSchema, options, ROOT)
  const codeDefault = findCodeDefault(layers, trees)
  return {
    layers,
    options,
    resolved: resolveOptions(options),
    root,
    findOrigin (path) {
      const { source, isGiven } = findSource(root, path)
      return isGiven ? { layer: source.layer.name, place: locateSource(source) } : null
    },
    locate,
    buildRouteOptions: (own, place) => codeDefault === null ? own : toRouteOptions(freezeRouteTree(codeDefault, own, place), place),
    buildRouteTree: (own, place) => freezeRouteTree(codeDefault, own, place)
  }
}

/** The default policy of `register`; `null` if no higher layer changes anything that a route may inherit. */
function findCodeDefault (layers: readonly Layer[], trees: readonly Branch[]): InheritedPolicy | null {
  const first = layers.findIndex(({ name }) => name === 'file' || name === 'environment')
  if (first === -1 || !trees.slice(first).some(({ fields }) => definesLimits(fields))) return null
  return inheritPolicy(builtInPolicy, trees.slice(0, first).reduce(mergeTrees, toLayerTree(registerLayer({}))))
}

function freezeRouteTree (base: InheritedPolicy | null, options: RouteRateLimit, place: string): Branch {
  const tree = toPolicyTree(options, place)
  return base === null ? tree : freezePolicy(base, tree)
}

function toRouteOptions (tree: Branch, place: string): RouteRateLimit {
  const options = toOptions(tree)
  checkOptions(RouteRateLimitSchema, options, place)
  return options
}

/** A rule may omit `match` only if a lower layer has the rule too. */
function checkMatches (root: Branch): void {
  const rules = getItems(root, 'rules')
  for (const { fields, source } of rules) {
    if (fields.has('match')) continue
    const name = String(getLeafValue(fields, 'name'))
    const withMatch = rules.filter((rule) => rule.fields.has('match'))
    const knownNames = withMatch.map((rule) => String(getLeafValue(rule.fields, 'name')))
    const near = suggestNearest(name, knownNames)
    const hint = near === null ? '' : `; did you mean "${near}"?`
    const expected = `a pattern such as "/api/*/reports" (no layer below has a rule "${name}"${hint})`
    throw badOption(locateSource(source, 'match'), expected, undefined)
  }
}

/** An error about merged options, with the place in the layer that gave the value. Any other error is returned unchanged. */
export function relocateError (error: unknown, { root, locate }: Pick<MergedOptions, 'root' | 'locate'>): unknown {
  if (!isLocated(error) || !/^rateLimit(?:[.[]|$)/.test(error.place)) return error
  const place = locate(parsePath(root, error.place.slice(ROOT.length)))
  return place === error.place ? error : error.relocated(place)
}
