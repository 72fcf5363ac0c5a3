/** Characters that count, from the end: the start of long ids is often the same. A bound, because clients choose their length. */
const MAX_CHARACTERS = 32

/** More than any hash. Small enough that the engine never allocates a number for one. */
export const HASHES = 2 ** 30

/** A hash of 30 bits for sampling: a share of all hashes is that share of the partitions. */
export function hashPartition (partition: string, seed: number): number {
  const { length } = partition
  let hash = seed ^ length
  let at = length > MAX_CHARACTERS ? length - MAX_CHARACTERS : 0
  // Four characters at once: a multiplication waits for the one before.
  for (const whole = length - 3; at < whole; at += 4) {
    hash ^= partition.charCodeAt(at) | partition.charCodeAt(at + 1) << 8 |
      partition.charCodeAt(at + 2) << 16 | partition.charCodeAt(at + 3) << 24
    hash = Math.imul(hash ^ hash >>> 15, 0x85ebca6b)
  }
  for (; at < length; at++) hash = Math.imul(hash ^ partition.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 2
}
