/** The addresses from `first` to `last`, both included, as groups of 16 bits. */
export interface Range {
  readonly first: readonly number[]
  readonly last: readonly number[]
}

/** Sorted ranges of addresses of one family. Ranges of prefixes never overlap in part: one contains the other, or not at all. */
export class Ranges {
  readonly #width: number
  readonly #count: number
  readonly #first: Uint16Array
  readonly #last: Uint16Array

  /** `width`: groups per address, 2 for IPv4 and 8 for IPv6. */
  constructor (width: number, ranges: readonly Range[]) {
    const outermost: Range[] = []
    // Of two ranges with the same start the wider comes first, so that a contained range always follows its container.
    for (const range of ranges.toSorted((a, b) => compare(a.first, b.first) || compare(b.last, a.last))) {
      const previous = outermost.at(-1)
      if (previous === undefined || compare(range.first, previous.last) > 0) outermost.push(range)
    }
    this.#width = width
    this.#count = outermost.length
    this.#first = Uint16Array.from(outermost.flatMap(({ first }) => first))
    this.#last = Uint16Array.from(outermost.flatMap(({ last }) => last))
  }

  /** Whether an address is in one of the ranges. */
  has (address: Uint16Array): boolean {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#first, middle, address) <= 0) low = middle + 1
      else high = middle
    }
    // The last range that begins at or before the address.
    return low > 0 && this.#compare(this.#last, low - 1, address) >= 0
  }

  #compare (edges: Uint16Array, index: number, address: Uint16Array): number {
    const width = this.#width
    for (let i = 0, at = index * width; i < width; i++, at++) {
      if (edges[at] !== address[i]) return edges[at] - address[i]
    }
    return 0
  }
}

function compare (a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i]
  }
  return 0
}
