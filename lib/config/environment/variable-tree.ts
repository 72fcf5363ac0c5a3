import type { TSchema } from '@sinclair/typebox'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { nameOf, namesBelow, valueBelow } from './known-names.js'
import { levelOf, variableOf } from './variable-names.js'
import { EnvironmentSchema } from './environment-schema.js'
import { type LayerOptions } from '../layers/layer.js'
import { textOfPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'

/** What one variable sets. */
export interface Setting {
  readonly variable: string
  /** Options, and names instead of indexes. */
  readonly path: readonly string[]
  readonly value: unknown
}

interface Node {
  /** The variable that sets all of it, if one does. */
  setting: Setting | null
  readonly parts: Map<string, Node>
}

/** What `limits` take the place of. */
const SINGLE_FIELDS = ['max', 'timeWindow', 'burst']

/** Arrays whose entries have names. */
const NAMED_LISTS = ['rules', 'limits']

/** The variables by what they set, and the options that they make together. */
export class EnvironmentTree {
  readonly #root: Node = nodeOf()
  readonly #lower: LayerOptions

  /** `lower`: the options of the layers below, merged. */
  constructor (lower: LayerOptions) {
    this.#lower = lower
  }

  /** Add what a variable sets. Returns what is wrong with it beside those before it, or `null`; then it is left out. */
  add (setting: Setting): Error | null {
    let node = this.#root
    for (const step of setting.path) {
      if (node.setting !== null) return wholeAndPart(node.setting.variable, setting.variable)
      const next = node.parts.get(step) ?? nodeOf()
      node.parts.set(step, next)
      node = next
    }
    if (node.setting !== null) {
      return new FST_SLUICE_CONTRADICTION(setting.variable, `sets the same option as ${node.setting.variable}; give one of them`)
    }
    if (node.parts.size > 0) return wholeAndPart(setting.variable, firstVariable(node))
    node.setting = setting
    return null
  }

  /** Variables that cannot hold together. */
  contradictions (): Error[] {
    return contradictionsIn(this.#root)
  }

  /** The options that the variables set, not held to the schema yet. */
  options (): unknown {
    return this.#valueOf(this.#root, EnvironmentSchema, [])
  }

  /** See `Layer`: the variable that sets the value at a path, or the one that would. */
  placeOf (path: ConfigPath): string {
    let node: Node | undefined = this.#root
    let level = levelOf(EnvironmentSchema)
    const names: string[] = []
    for (const [index, step] of path.entries()) {
      if (level === null) return textOfPath(variableOf(EnvironmentSchema, names), path.slice(index))
      const name: string = typeof step === 'number' && level.kind === 'names' && level.isArray ? this.#itemsOf(node, names)[step] ?? `${step}` : `${step}`
      const schema = level.kind === 'options' ? level.schemas.get(name) : level.schema
      if (schema === undefined) return textOfPath(variableOf(EnvironmentSchema, names), path.slice(index))
      names.push(name)
      node = node?.parts.get(name)
      if (node !== undefined && node.setting !== null) return textOfPath(node.setting.variable, path.slice(index + 1))
      level = levelOf(schema)
    }
    return variableOf(EnvironmentSchema, names)
  }

  #valueOf (node: Node, schema: TSchema, path: readonly string[]): unknown {
    const level = levelOf(schema)
    if (node.setting !== null || level === null) return node.setting?.value
    if (level.kind === 'names' && level.isArray) {
      return this.#itemsOf(node, path).map((name) => this.#itemOf(node.parts.get(name), level.schema, [...path, name], name))
    }
    // Not by assignment: a tier may have any name.
    return Object.fromEntries([...node.parts].map(([step, part]) => {
      const below = level.kind === 'options' ? level.schemas.get(step) : level.schema
      return [step, below === undefined ? undefined : this.#valueOf(part, below, [...path, step])]
    }))
  }

  /** Limits replace those below whole, so the ones that no variable changes must be among them. */
  #itemsOf (node: Node | undefined, path: readonly string[]): readonly string[] {
    const own = [...node?.parts.keys() ?? []]
    return isLimits(path) ? [...new Set([...namesBelow(this.#lower, path), ...own])] : own
  }

  #itemOf (node: Node | undefined, schema: TSchema, path: readonly string[], name: string): unknown {
    const base = isLimits(path.slice(0, -1)) ? valueBelow(this.#lower, path) : undefined
    if (node === undefined) return base
    const value = this.#valueOf(node, schema, path)
    return isOptions(value) ? { ...limitUnder(base, value), name, ...value } : value
  }
}

/** What is left of a limit where some of its fields are changed: a burst that was written for another max would loosen this one. */
function limitUnder (limit: unknown, changes: Readonly<Record<string, unknown>>): object {
  if (!isOptions(limit)) return {}
  const { burst, ...rest } = limit
  const isBucket = changes.algorithm === undefined || changes.algorithm === 'token-bucket'
  return burst === undefined || (isBucket && changes.max === undefined) ? limit : rest
}

function isOptions (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isLimits (path: readonly string[]): boolean {
  return path[path.length - 1] === 'limits'
}

function nodeOf (): Node {
  return { setting: null, parts: new Map() }
}

function firstVariable (node: Node): string {
  if (node.setting !== null) return node.setting.variable
  const [part] = node.parts.values()
  return firstVariable(part)
}

function wholeAndPart (whole: string, part: string): Error {
  return new FST_SLUICE_CONTRADICTION(part, `is a part of what ${whole} sets as a whole; give one of them`)
}

function contradictionsIn (node: Node): Error[] {
  const limits = node.parts.get('limits')
  const fields = SINGLE_FIELDS.map((field) => node.parts.get(field)).filter((part) => part !== undefined)
  const both = limits === undefined
    ? []
    : fields.map((field) => new FST_SLUICE_CONTRADICTION(firstVariable(field), `contradicts ${firstVariable(limits)}; put it into one of the limits`))
  const renamed = NAMED_LISTS.flatMap((option) => [...node.parts.get(option)?.parts ?? []].flatMap(([name, part]) => renamedIn(part, name)))
  return [...both, ...renamed, ...[...node.parts.values()].flatMap(contradictionsIn)]
}

/** JSON may give a rule or a limit its name, but not another one. */
function renamedIn ({ setting }: Node, name: string): Error[] {
  const given = nameOf(setting?.value)
  if (setting === null || given === null || given === name) return []
  return [new FST_SLUICE_CONTRADICTION(`${setting.variable}.name`, `contradicts the variable, which is about "${name}"`)]
}
