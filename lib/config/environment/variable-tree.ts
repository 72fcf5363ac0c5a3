import type { TSchema } from '@sinclair/typebox'
import { isRecord, type JsonRecord } from '../../common/type-guards.js'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { getName, listKnownNames, findKnownValue } from './known-names.js'
import { findLevel, formatVariable } from './variable-names.js'
import { getEnvironmentForm } from './environment-schema.js'
import { dropsBurst } from '../layers/inherit-limits.js'
import type { LayerOptions } from '../layers/layer.js'
import { formatPath, type ConfigPath } from '../schema/option-path.js'
import { REPLACED_FIELDS } from '../schema/policy-fields.js'

/** One variable and its value. */
export interface Setting {
  readonly variable: string
  /** Options, and names instead of indexes. */
  readonly path: readonly string[]
  readonly value: unknown
}

interface VariableNode {
  /** The variable that sets this value as a whole, if there is one. */
  setting: Setting | null
  readonly children: Map<string, VariableNode>
}

/** Arrays whose entries have names. */
const NAMED_LISTS = ['rules', 'limits']

/** The variables by their option paths, and the options built from them. */
export class EnvironmentTree {
  readonly #root: VariableNode = createNode()
  readonly #lower: LayerOptions
  readonly #prefix: string

  /** `lower`: the options of the layers below, merged. `prefix`: of the variables, for messages. */
  constructor (lower: LayerOptions, prefix: string) {
    this.#lower = lower
    this.#prefix = prefix
  }

  /** Add a setting. Returns an error, and skips the setting, if it contradicts an earlier one; else returns `null`. */
  add (setting: Setting): Error | null {
    let node = this.#root
    for (const step of setting.path) {
      if (node.setting !== null) return createOverlapError(node.setting.variable, setting.variable)
      const next = node.children.get(step) ?? createNode()
      node.children.set(step, next)
      node = next
    }
    if (node.setting !== null) {
      return new FST_SLUICE_CONTRADICTION(setting.variable, `sets the same option as ${node.setting.variable}; set only one of them`)
    }
    if (node.children.size > 0) return createOverlapError(setting.variable, findFirstVariable(node))
    node.setting = setting
    return null
  }

  /** The errors of variables that contradict each other. */
  findContradictions (): Error[] {
    return findNodeContradictions(this.#root)
  }

  /** The options that the variables set, not validated yet. */
  options (): unknown {
    return this.#buildValue(this.#root, getEnvironmentForm().schema, [])
  }

  /** See `Layer`: the variable that sets the value at a path, or that would set it. */
  locate (path: ConfigPath): string {
    let node: VariableNode | undefined = this.#root
    let level = findLevel(getEnvironmentForm().schema)
    const names: string[] = []
    for (const [index, step] of path.entries()) {
      if (level === null) return formatPath(formatVariable(getEnvironmentForm().schema, names, this.#prefix), path.slice(index))
      const isItem = typeof step === 'number' && level.kind === 'names' && level.isArray
      const name: string = (isItem ? this.#listItemNames(node, names)[step] : undefined) ?? `${step}`
      const schema = level.kind === 'options' ? level.schemas.get(name) : level.schema
      if (schema === undefined) return formatPath(formatVariable(getEnvironmentForm().schema, names, this.#prefix), path.slice(index))
      names.push(name)
      node = node?.children.get(name)
      if (node !== undefined && node.setting !== null) return formatPath(node.setting.variable, path.slice(index + 1))
      level = findLevel(schema)
    }
    return formatVariable(getEnvironmentForm().schema, names, this.#prefix)
  }

  #buildValue (node: VariableNode, schema: TSchema, path: readonly string[]): unknown {
    const level = findLevel(schema)
    if (node.setting !== null || level === null) return node.setting?.value
    if (level.kind === 'names' && level.isArray) {
      return this.#listItemNames(node, path).map((name) => this.#buildItem(node.children.get(name), level.schema, [...path, name], name))
    }
    // Not by assignment: a tier may have the name of a property such as `__proto__`.
    return Object.fromEntries([...node.children].map(([step, child]) => {
      const childSchema = level.kind === 'options' ? level.schemas.get(step) : level.schema
      return [step, childSchema === undefined ? undefined : this.#buildValue(child, childSchema, [...path, step])]
    }))
  }

  /** Limits replace the lower limits as a whole, so the list must contain those that no variable changes. */
  #listItemNames (node: VariableNode | undefined, path: readonly string[]): readonly string[] {
    const own = [...node?.children.keys() ?? []]
    return isLimits(path) ? [...new Set([...listKnownNames(this.#lower, path), ...own])] : own
  }

  #buildItem (node: VariableNode | undefined, schema: TSchema, path: readonly string[], name: string): unknown {
    const base = isLimits(path.slice(0, -1)) ? findKnownValue(this.#lower, path) : undefined
    if (node === undefined) return base
    const value = this.#buildValue(node, schema, path)
    return isRecord(value) ? { ...keepBase(base, value), name, ...value } : value
  }
}

/** The fields of a limit in the lower layers that remain when some of its fields change. */
function keepBase (limit: unknown, changes: JsonRecord): JsonRecord {
  if (!isRecord(limit)) return {}
  const { burst, ...rest } = limit
  return dropsBurst(changes) ? rest : limit
}

function isLimits (path: readonly string[]): boolean {
  return path[path.length - 1] === 'limits'
}

function createNode (): VariableNode {
  return { setting: null, children: new Map() }
}

function findFirstVariable (node: VariableNode): string {
  if (node.setting !== null) return node.setting.variable
  const [child] = node.children.values()
  return findFirstVariable(child)
}

function createOverlapError (parent: string, child: string): Error {
  return new FST_SLUICE_CONTRADICTION(child, `is part of the option that ${parent} sets as a whole; set only one of them`)
}

function findNodeContradictions (node: VariableNode): Error[] {
  const limits = node.children.get('limits')
  const fields = REPLACED_FIELDS.map((field) => node.children.get(field)).filter((child) => child !== undefined)
  const both = limits === undefined
    ? []
    : fields.map((field) => {
      return new FST_SLUICE_CONTRADICTION(findFirstVariable(field), `contradicts ${findFirstVariable(limits)}; set it in one of the limits`)
    })
  const renamed = NAMED_LISTS.flatMap((option) => [...node.children.get(option)?.children ?? []])
    .flatMap(([name, child]) => findRenamed(child, name))
  return [...both, ...renamed, ...[...node.children.values()].flatMap(findNodeContradictions)]
}

/** JSON may repeat the name of a rule or a limit, but must not change it. */
function findRenamed ({ setting }: VariableNode, name: string): Error[] {
  const given = getName(setting?.value)
  if (setting === null || given === null || given === name) return []
  return [new FST_SLUICE_CONTRADICTION(`${setting.variable}.name`, `contradicts the variable, which names "${name}"`)]
}
