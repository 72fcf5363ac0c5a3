import { TextHasher } from '../../../stores/memory/hash.js'

/** Known to all: a log is to have the same report each time. */
const KEYS = [0x736c7569, 0x6365] as const

/** 32-bit words for each slot. */
const WORDS = 3

/**
 * Values of texts. Texts are recognized by 64 bits of their hash, and not kept. So a look-up reads two places of the memory.
 * In a Map of texts it reads several more, and a replay waits for the memory most of its time.
 */
export class TextTable<Value> {
  readonly #hasher = new TextHasher(...KEYS)
  readonly #mask: number
  #words: Int32Array
  #values: Array<Value | null>
  #slot = 0
  #size = 0

  /** `capacity`: more values make the table slow. */
  constructor (capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2))
    this.#mask = slots - 1
    this.#words = new Int32Array(slots * WORDS)
    this.#values = new Array<Value | null>(slots).fill(null)
  }

  get size (): number {
    return this.#size
  }

  /** A number that the text of the last look-up selects, from 0 up to, but not including, 1. */
  get unit (): number {
    return toUnit(this.#hasher.word2)
  }

  /** The value of a text; `null` if it has none. */
  find (text: string): Value | null {
    this.#hasher.hash(text)
    this.#slot = this.#findSlot(this.#hasher.word0, this.#hasher.word1)
    return this.#values[this.#slot]
  }

  /** Add a value for the text of the last look-up, which found none. */
  add (value: Value): void {
    const { word0, word1, word2 } = this.#hasher
    this.#put(this.#slot, [word0, word1, word2], value)
  }

  /** Keep only some values. `accepts`: called with the value and the number of its text, see `unit`. */
  filter (accepts: (value: Value, unit: number) => boolean): void {
    const [words, values] = [this.#words, this.#values]
    this.#words = new Int32Array(words.length)
    this.#values = new Array<Value | null>(values.length).fill(null)
    this.#size = 0
    for (const [slot, value] of values.entries()) {
      const own = words.subarray(slot * WORDS, (slot + 1) * WORDS)
      if (value !== null && accepts(value, toUnit(own[2]))) this.#put(this.#findSlot(own[0], own[1]), own, value)
    }
  }

  * values (): Generator<Value> {
    for (const value of this.#values) if (value !== null) yield value
  }

  /** The slot of a hash, or the one that it would have. */
  #findSlot (word0: number, word1: number): number {
    const words = this.#words
    let slot = word0 & this.#mask
    while (this.#values[slot] !== null) {
      if (words[slot * WORDS] === word0 && words[slot * WORDS + 1] === word1) break
      slot = (slot + 1) & this.#mask
    }
    return slot
  }

  #put (slot: number, words: ArrayLike<number>, value: Value): void {
    this.#words.set(words, slot * WORDS)
    this.#values[slot] = value
    this.#size++
  }
}

function toUnit (word: number): number {
  return (word >>> 0) / 2 ** 32
}
