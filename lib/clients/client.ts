/** Who is asking. */
export interface Client {
  /** Where the identity comes from. */
  readonly kind: 'ip' | 'key'
  /** The address in canonical form (an IPv6 address as its subnet), or the generated key. */
  readonly id: string
  /** The class of client whose limits apply. */
  readonly tier: string
  /** The partition as text, such as `ip:203.0.113.9`: kind and id, with long ids hashed. */
  readonly partition: string
}

/** Everybody who has not said who he is. */
export const ANONYMOUS = 'anonymous'
