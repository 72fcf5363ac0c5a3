import { createHmac, randomBytes } from 'node:crypto'
import { toPrintable } from '../../common/printable.js'
import type { Client } from '../../model/client.js'
import type { LogSettings } from '../../config/schema/log-schema.js'

/** Labels a client for log lines: at most 256 characters, without line ends, colour codes and other control characters. */
export type ClientLabeler = (client: Client) => string

/** Enough for every address, and for the ids of 128 characters that a partition contains unhashed. */
const MAX_LABEL_LENGTH = 256
/** 64 bits: among a million clients, the chance of two equal hashes is 1 in 37 million. */
const HASH_DIGITS = 16

/**
 * Labels such as `ip:203.0.113.9` and `user:42`. With `hashClients`: `ip#` and the first 16 hexadecimal digits of
 * HMAC-SHA-256(secret, `ip:203.0.113.9`). A reader of the log can then distinguish clients, and one with the secret can
 * search for a known client. A plain hash is not enough: all IPv4 addresses can be hashed in minutes.
 *
 * A generated key is always hashed: it may be a secret that the client sends.
 */
export function createClientLabeler ({ hashClients, hashSecret }: Pick<LogSettings, 'hashClients' | 'hashSecret'>): ClientLabeler {
  const secret = hashSecret ?? randomBytes(32)
  return (client) => {
    const { kind, id, partition } = client
    if (hashClients || kind === 'key') {
      return `${kind}#${createHmac('sha256', secret).update(`${kind}:${id}`).digest('hex').slice(0, HASH_DIGITS)}`
    }
    // The partition, not the id: a long id is hashed in it.
    return toPrintable(partition, MAX_LABEL_LENGTH - 3)
  }
}
