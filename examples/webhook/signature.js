import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * What a shop sends along, by a secret that only it and we know.
 *
 * @param {string} secret
 * @param {string | Buffer} body
 */
export function signatureOf (secret, body) {
  return createHmac('sha256', secret).update(body).digest('hex')
}

/** @param {string | undefined} secret @param {Buffer} body @param {unknown} shown */
export function isSigned (secret, body, shown) {
  if (secret === undefined || typeof shown !== 'string') return false
  const [right, given] = [Buffer.from(signatureOf(secret, body)), Buffer.from(shown)]
  return right.length === given.length && timingSafeEqual(right, given)
}
