import { isPlaced } from '../../errors.js'
import { badOption, checkOptions } from '../schema/check.js'
import { type Layer } from './layer.js'
import { textOfPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'
import { layTree, saysLimits } from './overlay.js'
import { pathIn, sourceAt } from './tree-paths.js'
import { builtInPolicy, layPolicy, pinPolicy, type LaidPolicy } from './inherit-policy.js'
import { itemsOf, leafOf, optionsOf, placeOf, treeOf, treeOfRoute, type Branch, type SourceName } from './option-tree.js'
import { nearest } from '../schema/suggest.js'
import { RouteRateLimitSchema, type RouteRateLimit } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from '../schema/options-schema.js'

/** Which layer gave a value, and where it stands there, as a message begins. */
export interface Origin {
  readonly layer: SourceName
  readonly place: string
}

/** The options of several layers as one. */
export interface Layered {
  /** What they were made of, lowest first. */
  readonly layers: readonly Layer[]
  /** As if one person had written them; made anew, and held against the schema. */
  readonly options: RateLimitOptions
  /** The same, each value with where it was written. */
  readonly root: Branch
  /** Which layer gave the value at a path of `options`; `null` where none did. Of an object it is the layer that made it. */
  readonly originOf: (path: ConfigPath) => Origin | null
  /** Where the value at a path of `options` was written, or the nearest thing around it, as a message begins. */
  readonly placeOf: (path: ConfigPath) => string
  /**
   * What a route says in code, checked already, with the fields that its limits take from the default policy as the
   * code has it: a file that changes the default must not change what a route's own `{ max: 5 }` means.
   *
   * `place`: where they are written. Throws FST_SLUICE_CONTRADICTION with it, where the code's default has several limits.
   */
  readonly ownOptions: (options: RouteRateLimit, place: string) => RouteRateLimit
  /** The same, each value with where it was written. */
  readonly ownTree: (options: RouteRateLimit, place: string) => Branch
}

const ROOT = 'rateLimit'

/** What `register` was given, checked already, as the lowest layer. */
export function registerLayer (options: RateLimitOptions): Layer {
  return { name: 'register', options, placeOf: (path) => textOfPath(ROOT, path) }
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
export function layOptions (layers: readonly Layer[]): Layered {
  const trees = layers.map(treeOf)
  const root = trees.reduce(layTree, treeOf(registerLayer({})))
  const placeAt = (path: ConfigPath) => placeOf(sourceAt(root, path).source)
  checkMatches(root)
  const options = optionsOf(root)
  checkOptions(RateLimitOptionsSchema, options, ROOT)
  const defaultInCode = defaultBelow(layers, trees)
  return {
    layers,
    options,
    root,
    originOf (path) {
      const { source, isGiven } = sourceAt(root, path)
      return isGiven ? { layer: source.layer.name, place: placeOf(source) } : null
    },
    placeOf: placeAt,
    ownOptions: (own, place) => defaultInCode === null ? own : routeOptions(ownTree(defaultInCode, own, place), place),
    ownTree: (own, place) => ownTree(defaultInCode, own, place)
  }
}

/** The default policy as `register` has it; `null` where no higher layer changes what a route may take from it. */
function defaultBelow (layers: readonly Layer[], trees: readonly Branch[]): LaidPolicy | null {
  const first = layers.findIndex(({ name }) => name === 'file' || name === 'environment')
  if (first === -1 || !trees.slice(first).some(({ fields }) => saysLimits(fields))) return null
  const { fields } = trees.slice(0, first).reduce(layTree, treeOf(registerLayer({})))
  return layPolicy(builtInPolicy, fields)
}

function ownTree (below: LaidPolicy | null, options: RouteRateLimit, place: string): Branch {
  const tree = treeOfRoute(options, place)
  return below === null ? tree : { ...tree, fields: pinPolicy(below, tree.fields) }
}

function routeOptions (tree: Branch, place: string): RouteRateLimit {
  const options = optionsOf(tree)
  checkOptions(RouteRateLimitSchema, options, place)
  return options
}

/** Only a rule that a lower layer has made needs no `match`. */
function checkMatches (root: Branch): void {
  const rules = itemsOf(root, 'rules')
  for (const { fields, source } of rules) {
    if (fields.has('match')) continue
    const name = String(leafOf(fields, 'name'))
    const made = rules.filter(({ fields }) => fields.has('match')).map(({ fields }) => String(leafOf(fields, 'name')))
    const near = nearest(name, made)
    const hint = near === null ? '' : `; did you mean "${near}"?`
    throw badOption(placeOf(source, 'match'), `a pattern such as "/api/*/reports" (no layer below has a rule "${name}"${hint})`, undefined)
  }
}

/** An error of the merged options, told of the place in the layer that is to blame; any other error as it is. */
export function located (error: unknown, { root, placeOf }: Pick<Layered, 'root' | 'placeOf'>): unknown {
  if (!isPlaced(error) || !/^rateLimit(?:[.[]|$)/.test(error.place)) return error
  const place = placeOf(pathIn(root, error.place.slice(ROOT.length)))
  return place === error.place ? error : error.at(place)
}
