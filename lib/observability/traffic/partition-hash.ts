/** Characters that count, from the end: the start of long ids is often the same. A bound, because clients choose their length. */
const MAX_CHARACTERS = 32

/** 2^32, more than any hash. */
export const HASHES = 0x100000000

/** A hash of 32 bits for sampling: a share of all hashes is that share of the partitions. */
export function hashPartition (partition: string, seed: number): number {
  const { length } = partition
  let hash = seed ^ length
  for (let i = length > MAX_CHARACTERS ? length - MAX_CHARACTERS : 0; i < length; i++) {
    hash = Math.imul(hash ^ partition.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ hash >>> 15, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}
