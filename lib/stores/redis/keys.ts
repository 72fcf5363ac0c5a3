import { createHash } from 'node:crypto'
import type { Limit, Penalty } from '../store.js'

/** Characters of the hash of a limit. 48 bits distinguish a few thousand limits. */
const HASH_LENGTH = 8

/**
 * Formats the keys of buckets in Redis: `sluice:{ip:203.0.113.9}:Zk3x_0Qa`. The partition is the hash tag, so that all
 * limits of one client are in one slot of a Cluster. A short hash of its `bucket` text identifies the limit.
 * `sluice:{ip:203.0.113.9}!qT7_x2Lm` is the state of the same partition under a penalty.
 */
export class KeyWriter {
  readonly #prefix: string
  readonly #suffixes = new WeakMap<Limit | Penalty, string>()

  /** `prefix`: the start of every key. */
  constructor (prefix: string) {
    this.#prefix = `${prefix}{`
  }

  formatBucketKey (limit: Limit, partition: string): string {
    return this.#prefix + toHashTag(partition) + this.#getSuffix(limit, '}:')
  }

  formatPenaltyKey (penalty: Penalty, partition: string): string {
    return this.#prefix + toHashTag(partition) + this.#getSuffix(penalty, '}!')
  }

  #getSuffix (named: Limit | Penalty, separator: string): string {
    let suffix = this.#suffixes.get(named)
    if (suffix === undefined) {
      suffix = separator + createHash('sha256').update(named.bucket).digest('base64url').slice(0, HASH_LENGTH)
      this.#suffixes.set(named, suffix)
    }
    return suffix
  }
}

/** A hash tag that needs no hash: up to 128 characters of printable ASCII, without `%` and the braces, which would end it. */
const PLAIN = /^[\x21-\x24\x26-\x7a\x7c\x7e]{1,128}$/

/** Format a partition as a hash tag. All other texts are hashed, not cut, so that no text ends the tag or equals another tag. */
export function toHashTag (partition: string): string {
  // No plain tag contains "%". Hash UTF-16, because in UTF-8 all lone surrogates become one character.
  return PLAIN.test(partition) ? partition : `%${createHash('sha256').update(partition, 'utf16le').digest('base64url')}`
}
