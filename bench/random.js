/** Numbers that look random and are the same in every run (mulberry32). `next(n)` is an integer below n. */
export function seededRandom (seed) {
  let state = seed
  return function next (below) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ state >>> 15, state | 1)
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61)
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * below)
  }
}
