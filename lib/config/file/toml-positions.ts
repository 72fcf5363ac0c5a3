import { parse } from 'smol-toml'
import type { ConfigPath } from '../schema/option-path.js'

/** Where a key or element begins in the text. Both count from 1; columns in UTF-16 units, as editors count them. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** A key or an element of an array. */
interface KeyNode {
  /** Index of its first character. */
  at: number
  /** Its keys and elements, by key or by index. */
  readonly children: Map<string, KeyNode>
  /** Whether only longer keys name it so far: the `a` of `[a.b]`. */
  isImplied: boolean
  /** The last `[[element]]` of an array: the headers that follow continue in it. */
  lastElement: KeyNode | null
}

interface KeyStep {
  readonly name: string
  readonly at: number
}

/**
 * Find the positions of keys and array elements in TOML that the parser has accepted. A path that is not in the text, such as
 * a missing option, gets the position of the nearest table around it.
 *
 * A scanner of our own beside smol-toml, which gives no positions. A parser that gives them (toml-eslint-parser) bounds no depth,
 * and takes six times as long.
 */
export function createPositionFinder (text: string): (path: ConfigPath) => TextPosition {
  const root = createNode(0)
  try {
    new Scanner(text).document(root)
  } catch {
    // An error must be reported even if its position is unknown: use the positions found so far.
  }
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
  return (path) => {
    const { at } = findNode(root, path)
    const line = countUpTo(lineStarts, at)
    return { line, column: at - lineStarts[line - 1] + 1 }
  }
}

/** How many of the sorted numbers are `max` or less. By halves, since a file may have a million lines and many errors. */
function countUpTo (sorted: readonly number[], max: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle] <= max) low = middle + 1
    else high = middle
  }
  return low
}

function findNode (root: KeyNode, path: ConfigPath): KeyNode {
  let node = root
  for (const step of path) {
    const next = node.children.get(String(step))
    if (next === undefined) break
    node = next
  }
  return node
}

function createNode (at: number, isImplied = false): KeyNode {
  return { at, children: new Map(), isImplied, lastElement: null }
}

function getOrAddChild (node: KeyNode, { name, at }: KeyStep, isImplied: boolean): KeyNode {
  const child = node.children.get(name) ?? createNode(at, isImplied)
  node.children.set(name, child)
  if (child.isImplied && !isImplied) Object.assign(child, { at, isImplied })
  return child
}

/** The node below `node` that a key of one or more steps names. */
function descend (node: KeyNode, steps: readonly KeyStep[]): KeyNode {
  return steps.reduce((from, step, index) => {
    const child = getOrAddChild(from, step, index < steps.length - 1)
    return index < steps.length - 1 ? child.lastElement ?? child : child
  }, node)
}

const BLANK = /(?:[ \t\r\n]|#[^\n]*(?:\n|$))*/y
const BARE_KEY = /[\w-]+/y
// An unquoted value ends with the line, or with the bracket or comma after it. A date may contain a space.
const UNQUOTED = /[^,\]}#\r\n]+/y
const STRINGS = {
  '"""': /"""(?:"{0,2}(?:[^"\\]|\\[^]))*"{3,5}/y,
  "'''": /'''(?:'{0,2}[^'])*'{3,5}/y,
  '"': /"(?:[^"\\]|\\.)*"/y,
  "'": /'[^']*'/y
} as const

/** Walks over TOML that the parser has accepted, and records where each key begins. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor (text: string) {
    this.#text = text
  }

  document (root: KeyNode): void {
    let table = root
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      if (this.#eat('[[')) table = this.#element(root)
      else if (this.#eat('[')) table = this.#header(root, ']')
      else this.#pair(table)
    }
  }

  #header (root: KeyNode, end: string): KeyNode {
    const table = descend(root, this.#key())
    this.#eat(end)
    return table
  }

  #element (root: KeyNode): KeyNode {
    const steps = this.#key()
    const list = descend(root, steps)
    list.lastElement = getOrAddChild(list, { name: String(list.children.size), at: steps[steps.length - 1].at }, false)
    this.#eat(']]')
    return list.lastElement
  }

  #pair (table: KeyNode): void {
    const node = descend(table, this.#key())
    this.#eat('=')
    this.#value(node)
  }

  #key (): KeyStep[] {
    const steps: KeyStep[] = []
    do {
      this.#blank()
      const at = this.#at
      steps.push({ name: this.#keySegment(), at })
      this.#blank()
    } while (this.#eat('.'))
    return steps
  }

  #keySegment (): string {
    const quote = this.#quote()
    if (quote === null) return this.#take(BARE_KEY)
    const [name] = Object.keys(parse(`${this.#take(STRINGS[quote])} = 0`))
    return name
  }

  #value (node: KeyNode): void {
    this.#blank()
    const quote = this.#quote()
    if (quote !== null) this.#take(STRINGS[quote])
    else if (this.#eat('[')) this.#items(']', (index) => this.#value(getOrAddChild(node, { name: String(index), at: this.#at }, false)))
    else if (this.#eat('{')) this.#items('}', () => this.#pair(node))
    else this.#take(UNQUOTED)
    this.#blank()
  }

  #items (end: string, item: (index: number) => void): void {
    this.#blank()
    for (let index = 0; !this.#eat(end); index++) {
      item(index)
      this.#eat(',')
      this.#blank()
    }
  }

  #quote (): keyof typeof STRINGS | null {
    const [quote] = (['"""', "'''", '"', "'"] as const).filter((quote) => this.#text.startsWith(quote, this.#at))
    return quote ?? null
  }

  #blank (): void {
    this.#take(BLANK)
  }

  #eat (text: string): boolean {
    const isThere = this.#text.startsWith(text, this.#at)
    if (isThere) this.#at += text.length
    return isThere
  }

  /** Throws where the pattern does not match, so that the scanner always advances. */
  #take (pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [text] = pattern.exec(this.#text) ?? []
    if (text === undefined) throw new SyntaxError(`no TOML at ${this.#at}`)
    this.#at += text.length
    return text
  }
}
