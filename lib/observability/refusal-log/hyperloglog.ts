import { randomInt } from 'node:crypto'

const INDEX_BITS = 11
const REGISTERS = 2 ** INDEX_BITS
/** The constant of the estimate for 128 registers and more. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)

/**
 * About how many different texts there were, in 2 kB whatever their number: within 5 % of it in 19 of 20 cases
 * (Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007).
 */
export class HyperLogLog {
  readonly #longestRuns = new Uint8Array(REGISTERS)
  /** By default random, so that nobody can choose texts that count as one. */
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

  /** Whole; 0 only where nothing was added. */
  get estimate (): number {
    let sum = 0
    let unused = 0
    for (const run of this.#longestRuns) {
      sum += 2 ** -run
      if (run === 0) unused++
    }
    const raw = ALPHA * REGISTERS * REGISTERS / sum
    // Few leave registers unused, and these tell more.
    return Math.round(raw <= 2.5 * REGISTERS && unused > 0 ? REGISTERS * Math.log(REGISTERS / unused) : raw)
  }

  clear (): void {
    this.#longestRuns.fill(0)
  }
}

/** 32 bits, each of which depends on every character. */
function hashText (text: string, seed: number): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x85ebca6b)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
