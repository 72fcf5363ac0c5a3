import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { type Layer, type LayerName } from './layer.js'
import { formatPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'

/*
 * Options as a tree in which each value remembers the layer that gave it. Maps, so that no name of a tier can be
 * mistaken for something of a prototype, and never changed once made.
 */

/** A layer, or the config of a route. */
export type SourceName = LayerName | 'route'

/** Where a value was written. */
export interface Source {
  readonly layer: { readonly name: SourceName, readonly locate: Layer['locate'] }
  readonly path: ConfigPath
}

/** A value that is replaced whole. */
export interface Leaf {
  readonly kind: 'leaf'
  readonly value: unknown
  readonly source: Source
}

/** An object of options. Its source is the lowest layer that gave it, since that layer made it. */
export interface Branch {
  readonly kind: 'branch'
  readonly fields: Fields
  readonly source: Source
}

/** `rules` or `limits`. */
export interface List {
  readonly kind: 'list'
  readonly items: readonly Branch[]
  readonly source: Source
}

export type OptionNode = Leaf | Branch | List
export type Fields = ReadonlyMap<string, OptionNode>

/** Arrays whose entries have names. */
const NAMED_LISTS: ReadonlySet<string> = new Set(['rules', 'limits'])

/** Where objects stand that are no options of ours. */
const OPAQUE_PATHS: ReadonlySet<string> = new Set(['redis', 'store', 'metrics.registry'])

/** The options of a layer. Throws FST_SLUICE_CONTRADICTION where two of its rules have one name. */
export function toLayerTree (layer: Layer): Branch {
  const tree = toBranch(layer.options, { layer, path: [] })
  const places = new Map<unknown, string>()
  for (const { fields, source: { path } } of getItems(tree, 'rules')) {
    const name = getLeafValue(fields, 'name')
    const firstPlace = places.get(name)
    if (firstPlace !== undefined) throw new FST_SLUICE_CONTRADICTION(layer.locate([...path, 'name']), `${firstPlace} has the name "${String(name)}" already`)
    places.set(name, layer.locate(path))
  }
  return tree
}

/** The options of a route's config, which stand at `place`. */
export function toRouteTree (options: object, place: string): Branch {
  return toBranch(options, { layer: { name: 'route', locate: (path) => formatPath(place, path) }, path: [] })
}

/** `undefined` is not given. */
function toBranch (options: object, source: Source): Branch {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { kind: 'branch', fields: new Map(given.map(([key, value]) => [key, toNode(key, value, childSource(source, key))])), source }
}

function toNode (key: string, value: unknown, source: Source): OptionNode {
  if (typeof value !== 'object' || value === null || OPAQUE_PATHS.has(source.path.join('.'))) return { kind: 'leaf', value, source }
  if (!Array.isArray(value)) return toBranch(value, source)
  if (!NAMED_LISTS.has(key)) return { kind: 'leaf', value, source }
  return { kind: 'list', items: value.map((item: object, index) => toBranch(item, childSource(source, index))), source }
}

function childSource ({ layer, path }: Source, step: string | number): Source {
  return { layer, path: [...path, step] }
}

/** The options that a tree stands for, made anew. */
export function toOptions (node: OptionNode): unknown {
  switch (node.kind) {
    case 'leaf': return node.value
    case 'list': return node.items.map(toOptions)
    case 'branch': return Object.fromEntries(Array.from(node.fields, ([key, field]) => [key, toOptions(field)]))
    default: return node satisfies never
  }
}

/** The value of an option, unless it is an object. */
export function getLeafValue (fields: Fields, key: string): unknown {
  const node = fields.get(key)
  return node?.kind === 'leaf' ? node.value : undefined
}

/** The entries of `rules` or `limits`. */
export function getItems ({ fields }: Branch, key: 'rules' | 'limits'): readonly Branch[] {
  const node = fields.get(key)
  return node?.kind === 'list' ? node.items : []
}

/** The fields of an object; none where there is something else. */
export function getFields (fields: Fields, key: string): Fields {
  const node = fields.get(key)
  return node?.kind === 'branch' ? node.fields : new Map()
}

export function pick (fields: Fields, keys: readonly string[]): Map<string, OptionNode> {
  return new Map([...fields].filter(([key]) => keys.includes(key)))
}

export function without (fields: Fields, keys: readonly string[]): Map<string, OptionNode> {
  return new Map([...fields].filter(([key]) => !keys.includes(key)))
}

/** Where a value was written, or would have been, as a message begins. */
export function locateSource ({ layer, path }: Source, ...rest: ConfigPath): string {
  return layer.locate([...path, ...rest])
}
