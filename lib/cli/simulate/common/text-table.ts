import { TextHasher } from '../../../stores/memory/hash.js'

/** Known to all: a log is to have the same report each time. */
const KEYS = [0x736c7569, 0x6365] as const

/** 32-bit words for each slot: three of a hash, then the number, plus 1. 0: the slot is empty. */
const WORDS = 4
const HASH_WORDS = 3
const NUMBER = 3

/**
 * Numbers of texts. Texts are recognized by 64 bits of their hash, and not kept. So a look-up reads one place of the memory.
 * In a Map of texts it reads several more, and a replay waits for the memory most of its time.
 */
export class TextTable {
  readonly #hasher = new TextHasher(...KEYS)
  readonly #mask: number
  #words: Int32Array
  #first = 0
  #size = 0

  /** `capacity`: more numbers make the table slow. */
  constructor (capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2))
    this.#mask = slots - 1
    this.#words = new Int32Array(slots * WORDS)
  }

  get size (): number {
    return this.#size
  }

  /** A number that the text of the last look-up selects, from 0 up to, but not including, 1. */
  get unit (): number {
    return toUnit(this.#hasher.word2)
  }

  /** The number of a text; `null` if it has none. */
  find (text: string): number | null {
    this.#hasher.hash(text)
    this.#first = this.#findFirst(this.#hasher.word0, this.#hasher.word1)
    const stored = this.#words[this.#first + NUMBER]
    return stored === 0 ? null : stored - 1
  }

  /**
   * What the first slot of each text has: its number, that of another text, or -1. All hashes first, so that the reads of the
   * memory overlap.
   */
  guessAll (texts: readonly string[]): Int32Array {
    const found = new Int32Array(texts.length)
    for (let i = 0; i < texts.length; i++) {
      this.#hasher.hash(texts[i])
      found[i] = (this.#hasher.word0 & this.#mask) * WORDS
    }
    for (let i = 0; i < texts.length; i++) found[i] = this.#words[found[i] + NUMBER] - 1
    return found
  }

  /** Add a number for the text of the last look-up, which found none. `number`: whole, from 0 to 2^31 - 2. */
  add (number: number): void {
    const { word0, word1, word2 } = this.#hasher
    this.#put(this.#first, [word0, word1, word2], number)
  }

  /** Keep only some numbers. `accepts`: called with the number and that of its text, see `unit`. */
  filter (accepts: (number: number, unit: number) => boolean): void {
    const words = this.#words
    this.#words = new Int32Array(words.length)
    this.#size = 0
    for (let first = 0; first < words.length; first += WORDS) {
      const stored = words[first + NUMBER]
      if (stored === 0 || !accepts(stored - 1, toUnit(words[first + 2]))) continue
      this.#put(this.#findFirst(words[first], words[first + 1]), words.subarray(first, first + HASH_WORDS), stored - 1)
    }
  }

  * values (): Generator<number> {
    for (let at = NUMBER; at < this.#words.length; at += WORDS) if (this.#words[at] !== 0) yield this.#words[at] - 1
  }

  /** The first word of the slot of a hash, or of the one that it would have. */
  #findFirst (word0: number, word1: number): number {
    const words = this.#words
    let slot = word0 & this.#mask
    while (words[slot * WORDS + NUMBER] !== 0) {
      if (words[slot * WORDS] === word0 && words[slot * WORDS + 1] === word1) break
      slot = (slot + 1) & this.#mask
    }
    return slot * WORDS
  }

  #put (first: number, hash: ArrayLike<number>, number: number): void {
    this.#words.set(hash, first)
    this.#words[first + NUMBER] = number + 1
    this.#size++
  }
}

function toUnit (word: number): number {
  return (word >>> 0) / 2 ** 32
}
