import { randomInt } from 'node:crypto'

const INDEX_BITS = 11
const REGISTERS = 2 ** INDEX_BITS
/** The constant of the estimate for 128 registers and more. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)

/**
 * Estimates the number of different texts, in 2 kB whatever that number is. In 19 of 20 cases the error is at most 5 %
 * (Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007).
 */
export class HyperLogLog {
  readonly #longestRuns = new Uint8Array(REGISTERS)
  /** Random by default, so that clients cannot choose texts that count as one. */
  readonly #seed: number

  constructor (seed = randomInt(2 ** 32)) {
    this.#seed = seed
  }

  add (text: string): void {
    const hash = hashText(text, this.#seed)
    const index = hash >>> (32 - INDEX_BITS)
    const run = Math.clz32((hash << INDEX_BITS) | (REGISTERS - 1)) + 1
    if (run > this.#longestRuns[index]) this.#longestRuns[index] = run
  }

  /** An integer; 0 only if nothing was added. */
  get estimate (): number {
    let sum = 0
    let unused = 0
    for (const run of this.#longestRuns) {
      sum += 2 ** -run
      if (run === 0) unused++
    }
    const raw = ALPHA * REGISTERS * REGISTERS / sum
    // With few texts some registers are unused, and counting those is more exact.
    return Math.round(raw <= 2.5 * REGISTERS && unused > 0 ? REGISTERS * Math.log(REGISTERS / unused) : raw)
  }

  clear (): void {
    this.#longestRuns.fill(0)
  }
}

/** A hash of 32 bits, each of which depends on every character. */
function hashText (text: string, seed: number): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x85ebca6b)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
