/** The identified client. */
export interface Client {
  /** Where the identity comes from. `global`: all clients together, only from `fastify.rateLimit.consume`. */
  readonly kind: 'user' | 'key' | 'ip' | 'global'
  /** The user's ID, the generated key, or the address in canonical form (an IPv6 address as its subnet). */
  readonly id: string
  /** The tier whose limits apply. */
  readonly tier: string
  /** Identifies the client's buckets: the kind and the ID (`ip:203.0.113.9`, `user:42`, `key:abc`). Long IDs are hashed. */
  readonly partition: string
  /** Start of one of the client's quota periods, milliseconds since 1970: see the limit option `anchor`. Absent if it is not known. */
  readonly anchorMs?: number
}

/** The tier of unidentified clients. */
export const ANONYMOUS = 'anonymous'

/**
 * The partition whose buckets a client has in the stores: an address without `ip:`, which saves a concatenation per
 * request. All other partitions start with a word and a colon.
 */
export function findStorePartition (client: Client): string {
  return client.kind === 'ip' ? client.id : client.partition
}
