import { badOption } from '../config/check.js'
import type { AddressReader } from './address.js'
import { partitionFor } from './named.js'

/** The one partition of a limit `by: 'global'`. */
export const GLOBAL_PARTITION = 'global'

/** The partition of an id that is too long to be one, see `partitionFor`. */
const HASHED = /^(?:user|key)#[\w-]{43}$/

/**
 * The partition that an operator's text means: `ip:` with any address of the client, `user:` with an id, `key:` with a
 * generated key, or `global`; what `textOfPartition` answers too. Throws FST_SLUICE_BAD_OPTION.
 */
export function partitionOf (text: unknown, addresses: AddressReader): string {
  if (text === GLOBAL_PARTITION) return GLOBAL_PARTITION
  if (typeof text === 'string') {
    if (HASHED.test(text)) return text
    const kind = text.slice(0, Math.max(0, text.indexOf(':')))
    const id = text.slice(kind.length + 1)
    if ((kind === 'user' || kind === 'key') && id !== '') return partitionFor(kind, id)
    const client = kind === 'ip' ? addresses.clientOf(id) : null
    if (client !== null) return client.partition
  }
  throw badOption('partition', 'a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global"', text)
}

/** A partition as it is shown to an operator, and as `partitionOf` reads it. */
export function textOfPartition (partition: string): string {
  return partition === GLOBAL_PARTITION || /^(?:user|key)[:#]/.test(partition) ? partition : `ip:${partition}`
}
