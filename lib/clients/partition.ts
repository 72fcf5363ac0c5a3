import { createHash } from 'crypto'
import { badOption } from '../config/schema/check.js'
import { type Client, ANONYMOUS } from '../model/client.js'
import type { AddressReader } from './address/address-reader.js'

/** The only partition of a limit `by: 'global'`. */
export const GLOBAL_PARTITION = 'global'

/** The hashed partition of a long id, see `createPartition`. */
const HASHED_PARTITION = /^(?:user|key)#[\w-]{43}$/

/**
 * Parses an operator's text into a partition of the stores: `ip:` with any address of the client, `user:` with an id,
 * `key:` with a generated key, or `global`. Also accepts what `formatPartition` returns. Throws FST_SLUICE_BAD_OPTION.
 */
export function parsePartition (text: unknown, addresses: AddressReader): string {
  if (text === GLOBAL_PARTITION) return GLOBAL_PARTITION
  if (typeof text === 'string') {
    if (HASHED_PARTITION.test(text)) return text
    const kind = text.slice(0, Math.max(0, text.indexOf(':')))
    const id = text.slice(kind.length + 1)
    if ((kind === 'user' || kind === 'key') && id !== '') return createPartition(kind, id)
    const client = kind === 'ip' ? addresses.parseClient(id) : null
    if (client !== null) return client.id
  }
  throw badOption('partition', 'a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global"', text)
}

/** The client of such a text. `tier`: of a user. Throws FST_SLUICE_BAD_OPTION, as `parsePartition`. */
export function parsePartitionClient (text: string, addresses: AddressReader, tier: string): Client {
  const partition = parsePartition(text, addresses)
  if (partition === GLOBAL_PARTITION) return { kind: 'global', id: partition, tier: ANONYMOUS, partition }
  const [, kind, separator] = /^(ip|key|user)([:#])/.exec(text) ?? []
  const id = text.slice(kind.length + separator.length)
  if (kind === 'ip') return addresses.toClient(partition.split('/')[0])
  if (separator === ':') return kind === 'user' ? createUserClient(id, tier) : createKeyClient(id)
  // The id of a hashed partition is not known.
  return { kind: kind === 'user' ? 'user' : 'key', id: text, tier: kind === 'user' ? tier : ANONYMOUS, partition }
}

/** A partition of a store as an operator sees it, and as `parsePartition` accepts it. */
export function formatPartition (partition: string): string {
  return partition === GLOBAL_PARTITION || /^(?:user|key)[:#]/.test(partition) ? partition : `ip:${partition}`
}

/** Longer ids are hashed, not cut: two ids with the same first characters must stay two clients. */
const MAX_PLAIN_ID_LENGTH = 128

/** The client of a generated key. */
export function createKeyClient (key: string): Client {
  return { kind: 'key', id: key, tier: ANONYMOUS, partition: createPartition('key', key) }
}

/** The client of a user. `anchorMs`: see `Client`; `null` if it is not known. */
export function createUserClient (id: string, tier: string, anchorMs: number | null = null): Client {
  const client: Client = { kind: 'user', id, tier, partition: createPartition('user', id) }
  return anchorMs === null ? client : { ...client, anchorMs }
}

/** The partition of an id. */
export function createPartition (kind: 'user' | 'key', id: string): string {
  // UTF-16, because in UTF-8 all lone surrogates would become the same character.
  // A plain partition cannot start with "user#", so no chosen id can equal the hash of another.
  return id.length <= MAX_PLAIN_ID_LENGTH ? `${kind}:${id}` : `${kind}#${createHash('sha256').update(id, 'utf16le').digest('base64url')}`
}
