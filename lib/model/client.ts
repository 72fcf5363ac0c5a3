/** The identified client. */
export interface Client {
  /** Where the identity comes from. */
  readonly kind: 'user' | 'key' | 'ip'
  /** The user's ID, the generated key, or the address in canonical form (an IPv6 address as its subnet). */
  readonly id: string
  /** The tier whose limits apply. */
  readonly tier: string
  /** Identifies the client's buckets: the address, or the kind and the ID (`user:42`, `key:abc`). Long IDs are hashed. */
  readonly partition: string
}

/** The tier of unidentified clients. */
export const ANONYMOUS = 'anonymous'
