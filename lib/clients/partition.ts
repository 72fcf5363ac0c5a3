import { createHash } from 'crypto'
import { badOption } from '../config/schema/check.js'
import { type Client, ANONYMOUS } from '../model/client.js'
import type { AddressReader } from './address/address-reader.js'

/** The one partition of a limit `by: 'global'`. */
export const GLOBAL_PARTITION = 'global'

/** The partition of an id that is too long to be one, see `createPartition`. */
const HASHED_PARTITION = /^(?:user|key)#[\w-]{43}$/

/**
 * The partition that an operator's text means: `ip:` with any address of the client, `user:` with an id, `key:` with a
 * generated key, or `global`; what `formatPartition` answers too. Throws FST_SLUICE_BAD_OPTION.
 */
export function parsePartition (text: unknown, addresses: AddressReader): string {
  if (text === GLOBAL_PARTITION) return GLOBAL_PARTITION
  if (typeof text === 'string') {
    if (HASHED_PARTITION.test(text)) return text
    const kind = text.slice(0, Math.max(0, text.indexOf(':')))
    const id = text.slice(kind.length + 1)
    if ((kind === 'user' || kind === 'key') && id !== '') return createPartition(kind, id)
    const client = kind === 'ip' ? addresses.parseClient(id) : null
    if (client !== null) return client.partition
  }
  throw badOption('partition', 'a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global"', text)
}

/** A partition as it is shown to an operator, and as `parsePartition` reads it. */
export function formatPartition (partition: string): string {
  return partition === GLOBAL_PARTITION || /^(?:user|key)[:#]/.test(partition) ? partition : `ip:${partition}`
}

/** Longer ids are hashed, never cut: two with the same beginning must stay two clients. */
const MAX_PLAIN_ID_LENGTH = 128

/** The client that a generated key names. */
export function createKeyClient (key: string): Client {
  return { kind: 'key', id: key, tier: ANONYMOUS, partition: createPartition('key', key) }
}

/** The client that is a user. */
export function createUserClient (id: string, tier: string): Client {
  return { kind: 'user', id, tier, partition: createPartition('user', id) }
}

/** Whose buckets an id of some kind has. */
export function createPartition (kind: 'user' | 'key', id: string): string {
  // UTF-16, because in UTF-8 all lone surrogates would be one character.
  // "user#" cannot be the beginning of a plain partition, so no chosen id can equal another's hash.
  return id.length <= MAX_PLAIN_ID_LENGTH ? `${kind}:${id}` : `${kind}#${createHash('sha256').update(id, 'utf16le').digest('base64url')}`
}
