import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

// Of this process; an application would read it from where it keeps its secrets.
const secret = randomBytes(32)

const SHAPE = /^demo_([\w-]{32})_([\w-]{16})$/

/** @param {string} random */
function sealOf (random) {
  return createHmac('sha256', secret).update(random).digest('base64url').slice(0, 16)
}

/** A new key: random, with a seal that nobody else can make. */
export function issueKey () {
  const random = randomBytes(24).toString('base64url')
  return `demo_${random}_${sealOf(random)}`
}

/**
 * Whether a text may be one of our keys. One that was made up is told here, and costs no look-up: else everybody who
 * sends keys at random would have the database work for him.
 *
 * @param {string} text
 */
export function isSealed (text) {
  const [, random, seal] = SHAPE.exec(text) ?? []
  return random !== undefined && timingSafeEqual(Buffer.from(seal), Buffer.from(sealOf(random)))
}

/**
 * By what a key is looked up and remembered: whoever reads the database or this process's memory gets no key from it.
 *
 * @param {string} key
 */
export function hashOf (key) {
  return createHash('sha256').update(key).digest('base64url')
}
