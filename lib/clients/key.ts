import { createHash } from 'node:crypto'
import { ANONYMOUS, type Client } from './client.js'

/** Longer keys are hashed, never cut: two keys with the same beginning must stay two clients. */
const LONGEST_PLAIN_KEY = 128

/** The client that a generated key names. */
export function clientOfKey (key: string): Client {
  // UTF-16, because in UTF-8 all lone surrogates would be one character.
  // "key#" cannot be the beginning of a plain partition, so no chosen key can equal another's hash.
  const partition = key.length <= LONGEST_PLAIN_KEY ? `key:${key}` : `key#${createHash('sha256').update(key, 'utf16le').digest('base64url')}`
  return { kind: 'key', id: key, tier: ANONYMOUS, partition }
}
