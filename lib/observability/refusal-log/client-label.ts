import { createHmac, randomBytes } from 'node:crypto'
import type { Client } from '../../model/client.js'
import type { LogSettings } from '../../config/schema/log-schema.js'

/** Names clients in log lines; at most `LONGEST` characters, none of which can pass for another line or colour it. */
export type ClientLabeler = (client: Client) => string

/** Long enough for every address and for the ids of 128 characters that a partition spells out. */
const MAX_LABEL_LENGTH = 256
/** 64 bits: two of a million clients have the same with a chance of 1 to 37 million. */
const HASH_DIGITS = 16

/**
 * Names such as `ip:203.0.113.9` and `user:42`, or with `hashClients` `ip#` and the first 16 hexadecimal digits of
 * HMAC-SHA-256(secret, `ip:203.0.113.9`): whoever has a log can tell clients apart, and whoever has the secret too can
 * look for one he knows. A plain hash would not do, since all IPv4 addresses are hashed in minutes.
 *
 * A generated key is always hashed: it may be the very secret that a client sends.
 */
export function createClientLabeler ({ hashClients, hashSecret }: Pick<LogSettings, 'hashClients' | 'hashSecret'>): ClientLabeler {
  const secret = hashSecret ?? randomBytes(32)
  return (client) => {
    const { kind, id, partition } = client
    if (hashClients || kind === 'key') {
      return `${kind}#${createHmac('sha256', secret).update(`${kind}:${id}`).digest('hex').slice(0, HASH_DIGITS)}`
    }
    // The partition of a user, and not his id: that of a long one is hashed.
    return escapeUnprintable(kind === 'ip' ? `ip:${id}` : partition)
  }
}

/** Controls, what changes the direction of text, line ends of Unicode, and halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

function escapeUnprintable (text: string): string {
  const escaped = text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
  return escaped.length > MAX_LABEL_LENGTH ? `${escaped.slice(0, MAX_LABEL_LENGTH - 3)}...` : escaped
}
