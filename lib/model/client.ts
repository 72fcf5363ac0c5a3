/** Who is asking. */
export interface Client {
  /** Where the identity comes from. */
  readonly kind: 'user' | 'key' | 'ip'
  /** The user's id, the generated key, or the address in canonical form (an IPv6 address as its subnet). */
  readonly id: string
  /** The class of client whose limits apply. */
  readonly tier: string
  /** Whose buckets these are: the address, or the kind and the id (`user:42`, `key:abc`), with long ids hashed. */
  readonly partition: string
}

/** Everybody who has not said who he is. */
export const ANONYMOUS = 'anonymous'

/** Users whose tier nobody tells: what `identify.defaultTier` is where it is not given. */
export const DEFAULT_TIER = 'standard'
