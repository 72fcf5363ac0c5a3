import { badOption } from '../config/check.js'
import type { AddressReader } from './address.js'
import { clientOfKey } from './key.js'

/** The one partition of a limit `by: 'global'`. */
export const GLOBAL_PARTITION = 'global'

/**
 * The partition that an operator's text means: `ip:` with any address of the client, `key:` with a generated key,
 * or `global`. Throws FST_SLUICE_BAD_OPTION.
 */
export function partitionOf (text: unknown, addresses: AddressReader): string {
  if (text === GLOBAL_PARTITION) return GLOBAL_PARTITION
  if (typeof text === 'string') {
    const kind = text.slice(0, text.indexOf(':') + 1)
    const id = text.slice(kind.length)
    if (kind === 'key:' && id !== '') return clientOfKey(id).partition
    const client = kind === 'ip:' ? addresses.clientOf(id) : null
    if (client !== null) return client.partition
  }
  throw badOption('partition', 'a partition such as "ip:203.0.113.9", "key:abc" or "global"', text)
}
