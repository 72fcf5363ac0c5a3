import { createHash } from 'node:crypto'
import type { Limit, Penalty } from '../store.js'

/** Characters of a limit's hash: 48 bits tell a few thousand limits apart. */
const HASH_LENGTH = 8

/**
 * Names buckets in Redis: `sluice:{ip:203.0.113.9}:Zk3x_0Qa`. The partition is the hash tag, so that all limits of one
 * client lie in one slot of a Cluster; the limit is a short hash of its identity. `sluice:{ip:203.0.113.9}!qT7_x2Lm` is
 * how the same partition stands under a penalty.
 */
export class KeyWriter {
  readonly #prefix: string
  readonly #suffixes = new WeakMap<Limit | Penalty, string>()

  /** `prefix`: what every key begins with. */
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

/** What a hash tag may hold as it stands: up to 128 of printable ASCII, without the braces, which would end it, and `%`. */
const PLAIN = /^[\x21-\x24\x26-\x7a\x7c\x7e]{1,128}$/

/** A partition as a hash tag. Whatever is not plain is hashed, never cut, so no text can end the tag or equal another's. */
function toHashTag (partition: string): string {
  // "%" is in no plain tag. UTF-16, because in UTF-8 all lone surrogates would be one character.
  return PLAIN.test(partition) ? partition : `%${createHash('sha256').update(partition, 'utf16le').digest('base64url')}`
}
