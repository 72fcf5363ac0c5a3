/** A hash of 96 bits, in three signed integers. */
export interface Hash {
  word0: number
  word1: number
  word2: number
}

/** Odd, so that families of one partition differ in every bit pattern: 2^32 divided by the golden ratio. */
const GROUP_STEP = 0x9e3779b1 | 0

/** The first word of a partition's hash, mixed with the family. */
export function toGroupWord (word0: number, groupId: number): number {
  return word0 ^ Math.imul(groupId, GROUP_STEP)
}

const NARROW_END = 0xff
const WIDE_END = 0xfe

/**
 * HalfSipHash-1-4 (Aumasson, Bernstein) of texts, with two more words of its last state. These words must not be shown
 * to an attacker, but no hash leaves the store.
 *
 * Clients choose partitions. Without the secret key they cannot choose many texts for one run of slots, which would
 * make every check scan that run. Nor can they choose two texts with one hash.
 */
export class TextHasher implements Hash {
  word0 = 0
  word1 = 0
  word2 = 0
  readonly #key0: number
  readonly #key1: number

  constructor (key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Hash a text into the words of this object, so that a check allocates nothing. */
  hash (text: string): void {
    if (!this.#hashNarrow(text)) this.#hashWide(text)
  }

  /** Hash the Latin-1 bytes of a text. Returns false if the text has other characters. */
  #hashNarrow (text: string): boolean {
    let v0 = this.#key0
    let v1 = this.#key1
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ v1
    const length = text.length
    const whole = length & ~3
    let seen = 0
    for (let at = 0; at <= whole; at += 4) {
      let word = length << 24
      if (at < whole) {
        const a = text.charCodeAt(at)
        const b = text.charCodeAt(at + 1)
        const c = text.charCodeAt(at + 2)
        const d = text.charCodeAt(at + 3)
        seen |= a | b | c | d
        word = a | b << 8 | c << 16 | d << 24
      } else {
        for (let rest = at; rest < length; rest++) {
          const code = text.charCodeAt(rest)
          seen |= code
          word |= code << ((rest - at) << 3)
        }
      }
      v3 ^= word
      v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
      v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
      v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
      v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
      v0 ^= word
    }
    if (seen > 0xff) return false
    this.#finish(v0, v1, v2 ^ NARROW_END, v3)
    return true
  }

  /** Hash the UTF-16LE bytes of a text, with a different end: a Latin-1 text of the same bytes has another hash. */
  #hashWide (text: string): void {
    let v0 = this.#key0
    let v1 = this.#key1
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ v1
    const length = text.length
    const whole = length & ~1
    for (let at = 0; at <= whole; at += 2) {
      const word = at < whole
        ? text.charCodeAt(at) | text.charCodeAt(at + 1) << 16
        : length << 25 | (at < length ? text.charCodeAt(at) : 0)
      v3 ^= word
      v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
      v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
      v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
      v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
      v0 ^= word
    }
    this.#finish(v0, v1, v2 ^ WIDE_END, v3)
  }

  #finish (v0: number, v1: number, v2: number, v3: number): void {
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
      v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
      v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
      v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
    }
    this.word0 = v1 ^ v3
    this.word1 = v0
    this.word2 = v2
  }
}
