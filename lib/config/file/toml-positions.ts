import { parse } from 'smol-toml'
import type { ConfigPath } from '../schema/option-path.js'

/** Where something begins in a text, both counted from 1, and columns as editors count them. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** A key or an element of an array. */
interface Node {
  /** Index of its first character. */
  at: number
  /** What is in it, by key or by index. */
  readonly inner: Map<string, Node>
  /** Whether only a longer key has named it so far: the `a` of `[a.b]`. */
  isImplied: boolean
  /** The last `[[element]]` of an array: headers below go on in it. */
  last: Node | null
}

interface Step {
  readonly name: string
  readonly at: number
}

/**
 * Finds the places of keys in TOML that a parser has accepted: of the key itself, or of an element of an array. What has
 * none, such as an option that is missing, is where the nearest thing around it is.
 */
export function placesOf (text: string): (path: ConfigPath) => Place {
  const root = nodeFrom(0)
  try {
    new Scanner(text).document(root)
  } catch {
    // No mistake in a file should go untold because its place is unknown: what was found so far must do.
  }
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
  return (path) => {
    const { at } = nodeAt(root, path)
    const line = lineStarts.findLastIndex((start) => start <= at)
    return { line: line + 1, column: at - lineStarts[line] + 1 }
  }
}

function nodeAt (root: Node, path: ConfigPath): Node {
  let node = root
  for (const step of path) {
    const next = node.inner.get(String(step))
    if (next === undefined) break
    node = next
  }
  return node
}

function nodeFrom (at: number, isImplied = false): Node {
  return { at, inner: new Map(), isImplied, last: null }
}

function innerOf (node: Node, { name, at }: Step, isImplied: boolean): Node {
  const inner = node.inner.get(name) ?? nodeFrom(at, isImplied)
  node.inner.set(name, inner)
  if (inner.isImplied && !isImplied) Object.assign(inner, { at, isImplied })
  return inner
}

/** The node that a key of one or more steps names, below `node`. */
function descend (node: Node, steps: readonly Step[]): Node {
  return steps.reduce((from, step, index) => {
    const inner = innerOf(from, step, index < steps.length - 1)
    return index < steps.length - 1 ? inner.last ?? inner : inner
  }, node)
}

const BLANK = /(?:[ \t\r\n]+|#[^\n]*)*/y
const BARE_KEY = /[\w-]+/y
// A line ends an unquoted value, and so does what surrounds it. A date may have a space inside.
const UNQUOTED = /[^,\]}#\r\n]+/y
const STRINGS = {
  '"""': /"""(?:[^\\]|\\[^])*?"""(?:"{0,2}(?!"))/y,
  "'''": /'''[^]*?'''(?:'{0,2}(?!'))/y,
  '"': /"(?:[^"\\]+|\\.)*"/y,
  "'": /'[^']*'/y
} as const

/** Walks over TOML that a parser has accepted, and notes where each key begins. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor (text: string) {
    this.#text = text
  }

  document (root: Node): void {
    let table = root
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      if (this.#eat('[[')) table = this.#element(root)
      else if (this.#eat('[')) table = this.#header(root, ']')
      else this.#pair(table)
    }
  }

  #header (root: Node, end: string): Node {
    const table = descend(root, this.#key())
    this.#eat(end)
    return table
  }

  #element (root: Node): Node {
    const steps = this.#key()
    const list = descend(root, steps)
    list.last = innerOf(list, { name: String(list.inner.size), at: steps[steps.length - 1].at }, false)
    this.#eat(']]')
    return list.last
  }

  #pair (table: Node): void {
    const node = descend(table, this.#key())
    this.#eat('=')
    this.#value(node)
  }

  #key (): Step[] {
    const steps: Step[] = []
    do {
      this.#blank()
      const at = this.#at
      steps.push({ name: this.#keyPart(), at })
      this.#blank()
    } while (this.#eat('.'))
    return steps
  }

  #keyPart (): string {
    const quote = this.#quote()
    if (quote === null) return this.#take(BARE_KEY)
    const [name] = Object.keys(parse(`${this.#take(STRINGS[quote])} = 0`))
    return name
  }

  #value (node: Node): void {
    this.#blank()
    const quote = this.#quote()
    if (quote !== null) this.#take(STRINGS[quote])
    else if (this.#eat('[')) this.#items(']', (index) => this.#value(innerOf(node, { name: String(index), at: this.#at }, false)))
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

  /** Throws where the pattern does not match, so that no text can keep the scanner at one place. */
  #take (pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [text] = pattern.exec(this.#text) ?? []
    if (text === undefined) throw new SyntaxError(`no TOML at ${this.#at}`)
    this.#at += text.length
    return text
  }
}
