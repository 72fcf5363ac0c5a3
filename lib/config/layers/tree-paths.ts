import type { ConfigPath } from '../schema/option-path.js'
import type { Branch, OptionNode, Source } from './option-tree.js'

/** Where a value at a path was written. `isGiven` is false if only a value around it was written. */
export function findSource (root: Branch, path: ConfigPath): { readonly source: Source, readonly isGiven: boolean } {
  let node: OptionNode = root
  for (const [index, step] of path.entries()) {
    const inner = findChild(node, step)
    if (inner === undefined) {
      const rest = path.slice(index)
      return { source: extendSource(node.source, rest), isGiven: node.kind === 'leaf' && hasPath(node.value, rest) }
    }
    node = inner
  }
  return { source: node.source, isGiven: true }
}

/** The path in a tree for a text such as `.rules[1].tiers.gold.max`. The name of a tier may contain dots. */
export function parsePath (root: Branch, text: string): ConfigPath {
  const path: Array<string | number> = []
  let node: OptionNode | undefined = root
  let rest = text
  while (rest !== '') {
    const step = parseStep(node, rest)
    if (step === null) break
    path.push(step)
    node = node === undefined ? node : findChild(node, step)
    rest = rest.slice(typeof step === 'number' ? `[${step}]`.length : step.length + 1)
  }
  return path
}

function parseStep (node: OptionNode | undefined, text: string): string | number | null {
  const known = node?.kind === 'branch' ? [...node.fields.keys()].filter((key) => isNext(text, key)) : []
  if (known.length > 0) return known.reduce((longest, key) => key.length > longest.length ? key : longest)
  const index = /^\[(\d+)\]/.exec(text)
  if (index !== null) return Number(index[1])
  return /^\.([^.[]+)/.exec(text)?.[1] ?? null
}

function isNext (text: string, key: string): boolean {
  return text.startsWith(`.${key}`) && ['.', '[', undefined].includes(text[key.length + 1])
}

function findChild (node: OptionNode, step: string | number): OptionNode | undefined {
  switch (node.kind) {
    case 'leaf': return undefined
    case 'list': return typeof step === 'number' ? node.items[step] : undefined
    case 'branch': return node.fields.get(String(step))
    default: return node satisfies never
  }
}

function extendSource ({ layer, path }: Source, rest: ConfigPath): Source {
  return { layer, path: [...path, ...rest] }
}

/** Whether a value of a leaf has another value at a path. */
function hasPath (value: unknown, path: ConfigPath): boolean {
  let inner = value
  for (const step of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, step)) return false
    inner = Reflect.get(inner, step)
  }
  return true
}
