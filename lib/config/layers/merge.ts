import { isLocated } from '../../errors.js'
import { badOption, checkOptions } from '../schema/check.js'
import { type Layer } from './layer.js'
import { formatPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'
import { mergeTrees, definesLimits } from './overlay.js'
import { parsePath, findSource } from './tree-paths.js'
import { builtInPolicy, inheritPolicy, freezePolicy, type InheritedPolicy } from './inherit-policy.js'
import { getItems, getLeafValue, toOptions, locateSource, toLayerTree, toRouteTree, type Branch, type SourceName } from './option-tree.js'
import { suggestNearest } from '../schema/suggest.js'
import { RouteRateLimitSchema, type RouteRateLimit } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from '../schema/options-schema.js'

/** Which layer gave a value, and where it stands there, as a message begins. */
export interface Origin {
  readonly layer: SourceName
  readonly place: string
}

/** The options of several layers as one. */
export interface MergedOptions {
  /** What they were made of, lowest first. */
  readonly layers: readonly Layer[]
  /** As if one person had written them; made anew, and held against the schema. */
  readonly options: RateLimitOptions
  /** The same, each value with where it was written. */
  readonly root: Branch
  /** Which layer gave the value at a path of `options`; `null` where none did. Of an object it is the layer that made it. */
  readonly findOrigin: (path: ConfigPath) => Origin | null
  /** Where the value at a path of `options` was written, or the nearest thing around it, as a message begins. */
  readonly locate: (path: ConfigPath) => string
  /**
   * What a route says in code, checked already, with the fields that its limits take from the default policy as the
   * code has it: a file that changes the default must not change what a route's own `{ max: 5 }` means.
   *
   * `place`: where they are written. Throws FST_SLUICE_CONTRADICTION with it, where the code's default has several limits.
   */
  readonly buildRouteOptions: (options: RouteRateLimit, place: string) => RouteRateLimit
  /** The same, each value with where it was written. */
  readonly buildRouteTree: (options: RouteRateLimit, place: string) => Branch
}

const ROOT = 'rateLimit'

/** What `register` was given, checked already, as the lowest layer. */
export function registerLayer (options: RateLimitOptions): Layer {
  return { name: 'register', options, locate: (path) => formatPath(ROOT, path) }
}

/**
 * Make one set of options of several layers, lowest first, each of which is checked already.
 *
 * Each policy is layered by itself, by name: the default policy, each rule, each tier. A layer's `limits`, or `max` with
 * `timeWindow`, replace the limits of the layers below whole. One field alone changes that field of a single limit; a
 * new `max` drops a `burst` that was meant for another. A policy with limits of its own, of which it takes a field from
 * the default policy, keeps that field as it was in the layers up to its own. Everything else is laid field by field,
 * arrays and `redis` whole.
 *
 * Throws FST_SLUICE_CONTRADICTION where a layer gives one field and there are several limits, or two rules of one name,
 * and FST_SLUICE_BAD_OPTION where no layer gives a rule its `match`: each with the layer's own place.
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

/** The default policy as `register` has it; `null` where no higher layer changes what a route may take from it. */
function findCodeDefault (layers: readonly Layer[], trees: readonly Branch[]): InheritedPolicy | null {
  const first = layers.findIndex(({ name }) => name === 'file' || name === 'environment')
  if (first === -1 || !trees.slice(first).some(({ fields }) => definesLimits(fields))) return null
  const { fields } = trees.slice(0, first).reduce(mergeTrees, toLayerTree(registerLayer({})))
  return inheritPolicy(builtInPolicy, fields)
}

function freezeRouteTree (base: InheritedPolicy | null, options: RouteRateLimit, place: string): Branch {
  const tree = toRouteTree(options, place)
  return base === null ? tree : { ...tree, fields: freezePolicy(base, tree.fields) }
}

function toRouteOptions (tree: Branch, place: string): RouteRateLimit {
  const options = toOptions(tree)
  checkOptions(RouteRateLimitSchema, options, place)
  return options
}

/** Only a rule that a lower layer has made needs no `match`. */
function checkMatches (root: Branch): void {
  const rules = getItems(root, 'rules')
  for (const { fields, source } of rules) {
    if (fields.has('match')) continue
    const name = String(getLeafValue(fields, 'name'))
    const knownNames = rules.filter(({ fields }) => fields.has('match')).map(({ fields }) => String(getLeafValue(fields, 'name')))
    const near = suggestNearest(name, knownNames)
    const hint = near === null ? '' : `; did you mean "${near}"?`
    throw badOption(locateSource(source, 'match'), `a pattern such as "/api/*/reports" (no layer below has a rule "${name}"${hint})`, undefined)
  }
}

/** An error of the merged options, told of the place in the layer that is to blame; any other error as it is. */
export function relocateError (error: unknown, { root, locate }: Pick<MergedOptions, 'root' | 'locate'>): unknown {
  if (!isLocated(error) || !/^rateLimit(?:[.[]|$)/.test(error.place)) return error
  const place = locate(parsePath(root, error.place.slice(ROOT.length)))
  return place === error.place ? error : error.relocated(place)
}
