import { createDuplicateNameError, findDuplicateNames } from '../schema/duplicate-names.js'
import { formatPath, type ConfigPath } from '../schema/option-path.js'
import { policySchemas } from '../schema/policy-fields.js'
import type { Layer, LayerName } from './layer.js'

/*
 * Options as a tree in which each value keeps the layer that gave it. Fields are Maps, so that the name of a tier cannot
 * reach a prototype. A tree is never changed after it was built.
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

/** An object of options. Its source is the lowest layer that gave it. */
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

/** Objects that contain no options of this plugin. */
const OPAQUE_PATHS: ReadonlySet<string> = new Set(['redis', 'store', 'clock', 'metrics.registry', 'metrics.otel'])

/** The options of a layer. Throws FST_SLUICE_CONTRADICTION if two of its rules have the same name. */
export function toLayerTree (layer: Layer): Branch {
  const tree = toBranch(layer.options, { layer, path: [] })
  const rules = getItems(tree, 'rules')
  const [duplicate] = findDuplicateNames(rules.map(({ fields }) => getLeafValue(fields, 'name')))
  if (duplicate === undefined) return tree
  const { index, firstIndex, name } = duplicate
  throw createDuplicateNameError(locateSource(rules[index].source, 'name'), locateSource(rules[firstIndex].source), name)
}

/** The options of one policy in code, such as the config of a route, which are written at `place`. Other options are left out. */
export function toPolicyTree (options: object, place: string): Branch {
  const own = Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(policySchemas, key)))
  return toBranch(own, { layer: { name: 'route', locate: (path) => formatPath(place, path) }, path: [] })
}

/** An option that is `undefined` counts as absent. */
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

/** The options of a tree, as new objects. */
export function toOptions (node: OptionNode): unknown {
  switch (node.kind) {
    case 'leaf': return node.value
    case 'list': return node.items.map(toOptions)
    case 'branch': return toObject(node.fields)
    default: return node satisfies never
  }
}

/** The same for the fields of an object. */
export function toObject (fields: Fields): object {
  return Object.fromEntries(Array.from(fields, ([key, field]) => [key, toOptions(field)]))
}

/** The value of an option; `undefined` for an object. */
export function getLeafValue (fields: Fields, key: string): unknown {
  const node = fields.get(key)
  return node?.kind === 'leaf' ? node.value : undefined
}

/** The entries of `rules` or `limits`. */
export function getItems ({ fields }: Branch, key: 'rules' | 'limits'): readonly Branch[] {
  const node = fields.get(key)
  return node?.kind === 'list' ? node.items : []
}

/** The fields of an object; empty for any other value. */
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

/** Field by field, also inside objects that both give. Any other value is replaced. */
export function overlayFields (base: Fields, overlay: Fields): Map<string, OptionNode> {
  const merged = new Map(base)
  for (const [key, node] of overlay) {
    const lower = merged.get(key)
    const isBoth = lower?.kind === 'branch' && node.kind === 'branch'
    merged.set(key, isBoth ? { ...lower, fields: overlayFields(lower.fields, node.fields) } : node)
  }
  return merged
}

/** Where a value was written, or would have been, as a message begins. */
export function locateSource ({ layer, path }: Source, ...rest: ConfigPath): string {
  return layer.locate([...path, ...rest])
}
