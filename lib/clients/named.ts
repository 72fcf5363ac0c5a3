import { createHash } from 'node:crypto'
import { ANONYMOUS, type Client } from './client.js'

/** Longer ids are hashed, never cut: two with the same beginning must stay two clients. */
const LONGEST_PLAIN_ID = 128

/** The client that a generated key names. */
export function clientOfKey (key: string): Client {
  return { kind: 'key', id: key, tier: ANONYMOUS, partition: partitionFor('key', key) }
}

/** The client that is a user. */
export function clientOfUser (id: string, tier: string): Client {
  return { kind: 'user', id, tier, partition: partitionFor('user', id) }
}

/** Whose buckets an id of some kind has. */
export function partitionFor (kind: 'user' | 'key', id: string): string {
  // UTF-16, because in UTF-8 all lone surrogates would be one character.
  // "user#" cannot be the beginning of a plain partition, so no chosen id can equal another's hash.
  return id.length <= LONGEST_PLAIN_ID ? `${kind}:${id}` : `${kind}#${createHash('sha256').update(id, 'utf16le').digest('base64url')}`
}
