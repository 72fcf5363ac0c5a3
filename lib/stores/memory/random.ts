import { getRandomValues } from 'node:crypto'

/** Random words from the operating system. They cannot be guessed from outside the process. */
export function secretWords (count: number): Uint32Array {
  return getRandomValues(new Uint32Array(count))
}

/** Marsaglia's xorshift32: cheap enough for every insert. It selects samples and protects no secret. */
export class Random {
  #state: number

  constructor (seed: number) {
    // Zero is the only state that never changes.
    this.#state = (seed | 0) || 0x6d2b79f5
  }

  /** 32 bits, signed. */
  word (): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x
  }

  /** A whole number from 0 to `bound` - 1; `bound` is at most 2^21, so that the product stays exact. */
  below (bound: number): number {
    return Math.floor((this.word() >>> 0) * bound / 0x100000000)
  }
}
