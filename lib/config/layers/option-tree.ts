import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { type Layer, type LayerName } from './layer.js'
import { textOfPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'

/*
 * Options as a tree in which each value remembers the layer that gave it. Maps, so that no name of a tier can be
 * mistaken for something of a prototype, and never changed once made.
 */

/** A layer, or the config of a route. */
export type SourceName = LayerName | 'route'

/** Where a value was written. */
export interface Source {
  readonly layer: { readonly name: SourceName, readonly placeOf: Layer['placeOf'] }
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

export type Node = Leaf | Branch | List
export type Fields = ReadonlyMap<string, Node>

/** Arrays whose entries have names. */
const LISTS: ReadonlySet<string> = new Set(['rules', 'limits'])

/** Where objects stand that are no options of ours. */
const WHOLE: ReadonlySet<string> = new Set(['redis', 'store', 'metrics.registry'])

/** The options of a layer. Throws FST_SLUICE_CONTRADICTION where two of its rules have one name. */
export function treeOf (layer: Layer): Branch {
  const tree = branchOf(layer.options, { layer, path: [] })
  const places = new Map<unknown, string>()
  for (const { fields, source: { path } } of itemsOf(tree, 'rules')) {
    const name = leafOf(fields, 'name')
    const twin = places.get(name)
    if (twin !== undefined) throw new FST_SLUICE_CONTRADICTION(layer.placeOf([...path, 'name']), `${twin} has the name "${String(name)}" already`)
    places.set(name, layer.placeOf(path))
  }
  return tree
}

/** The options of a route's config, which stand at `place`. */
export function treeOfRoute (options: object, place: string): Branch {
  return branchOf(options, { layer: { name: 'route', placeOf: (path) => textOfPath(place, path) }, path: [] })
}

/** `undefined` is not given. */
function branchOf (options: object, source: Source): Branch {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { kind: 'branch', fields: new Map(given.map(([key, value]) => [key, nodeOf(key, value, below(source, key))])), source }
}

function nodeOf (key: string, value: unknown, source: Source): Node {
  if (typeof value !== 'object' || value === null || WHOLE.has(source.path.join('.'))) return { kind: 'leaf', value, source }
  if (!Array.isArray(value)) return branchOf(value, source)
  if (!LISTS.has(key)) return { kind: 'leaf', value, source }
  return { kind: 'list', items: value.map((item: object, index) => branchOf(item, below(source, index))), source }
}

function below ({ layer, path }: Source, step: string | number): Source {
  return { layer, path: [...path, step] }
}

/** The options that a tree stands for, made anew. */
export function optionsOf (node: Node): unknown {
  switch (node.kind) {
    case 'leaf': return node.value
    case 'list': return node.items.map(optionsOf)
    case 'branch': return Object.fromEntries(Array.from(node.fields, ([key, field]) => [key, optionsOf(field)]))
    default: return node satisfies never
  }
}

/** The value of an option, unless it is an object. */
export function leafOf (fields: Fields, key: string): unknown {
  const node = fields.get(key)
  return node?.kind === 'leaf' ? node.value : undefined
}

/** The entries of `rules` or `limits`. */
export function itemsOf ({ fields }: Branch, key: 'rules' | 'limits'): readonly Branch[] {
  const node = fields.get(key)
  return node?.kind === 'list' ? node.items : []
}

/** The fields of an object; none where there is something else. */
export function fieldsIn (fields: Fields, key: string): Fields {
  const node = fields.get(key)
  return node?.kind === 'branch' ? node.fields : new Map()
}

export function pick (fields: Fields, keys: readonly string[]): Map<string, Node> {
  return new Map([...fields].filter(([key]) => keys.includes(key)))
}

export function without (fields: Fields, keys: readonly string[]): Map<string, Node> {
  return new Map([...fields].filter(([key]) => !keys.includes(key)))
}

/** Where a value was written, or would have been, as a message begins. */
export function placeOf ({ layer, path }: Source, ...rest: ConfigPath): string {
  return layer.placeOf([...path, ...rest])
}
