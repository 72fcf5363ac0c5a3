import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { canonicalizeAddress } from '../clients/address/address-reader.js'
import { createNetworks } from '../clients/address/networks.js'
import type { RateLimitOptions } from './options.js'

/** Default number of leading bits of an IPv6 address that identify a client. */
export const IPV6_SUBNET = 64

/**
 * The key of an address: IPv4 unchanged, IPv4-mapped IPv6 as IPv4, other IPv6 as the first address of its subnet. Any
 * other text is returned in lower case.
 */
export function normalizeIP (ip: string, ipv6Subnet: number = IPV6_SUBNET): string {
  const canonical = canonicalizeAddress(ip, ipv6Subnet)
  return canonical === null ? ip.toLowerCase() : canonical.replace(/\/\d+$/, '')
}

/** The key of a request's client: the address, or what the application's generator returned. Rejects with its errors. */
export async function resolveKey (
  request: FastifyRequest, generate: RateLimitOptions['keyGenerator'] | null, ipv6Subnet: number
): Promise<unknown> {
  return generate === null || generate === undefined ? createAddressKey(request, ipv6Subnet) : await generate(request)
}

export function createAddressKey (request: FastifyRequest, ipv6Subnet: number): string {
  return normalizeIP(findAddress(request), ipv6Subnet)
}

/**
 * The text that a key counts as. Empty for a value that names no client, such as `undefined`: the plugin then logs a fault
 * and counts the address. A database's id (ObjectId, BigInt) counts by its text.
 */
export function toKeyText (key: unknown): string {
  switch (typeof key) {
    case 'string': return key
    case 'number': return Number.isNaN(key) ? '' : String(key)
    case 'bigint': return String(key)
    case 'boolean': return key ? 'true' : ''
    case 'object': return key === null ? '' : toObjectText(key)
    default: return ''
  }
}

/** Empty for an object without text of its own: all of them would have the same. */
function toObjectText (key: object): string {
  try {
    const text = String(key)
    return text === Object.prototype.toString.call(key) ? '' : text
  } catch {
    return ''
  }
}

/** Empty after a reset of the connection, which then has no address. */
function findAddress (request: FastifyRequest): string {
  const address: string | undefined = request.ip
  return address ?? ''
}

/** Returns whether a request passes uncounted. */
export type AllowList = ((request: FastifyRequest, key: unknown) => unknown) | null

/**
 * A list has keys, addresses and networks. Addresses and networks are compared with the client's full address, so that a
 * single address of an IPv6 subnet can be on the list. With a `keyGenerator` they are compared with the key, which may be an
 * address too: `request.ip` may then be a proxy's address.
 *
 * Throws FST_SLUICE_BAD_OPTION for a network with an invalid prefix.
 */
export function createAllowList (options: Pick<RateLimitOptions, 'allowList' | 'keyGenerator'>, place: string): AllowList {
  const { allowList, keyGenerator } = options
  if (allowList === undefined) return null
  // The original's types promise text, and pass what the generator returned.
  if (typeof allowList === 'function') return (request, key) => allowList(request, key as string)
  if (allowList.length === 0) return null
  const keys = new Set<unknown>(allowList)
  // Any other text is a key, including names of networks such as "private".
  const networks = createNetworks(allowList.filter((entry) => typeof entry === 'string' && isIP(entry.split('/')[0]) !== 0), place)
  // A missing key is on no list: `''.split(',')` has an empty entry.
  return (request, key) => toKeyText(key) !== '' &&
    (keys.has(key) || (keyGenerator === undefined ? networks.has(findAddress(request)) : typeof key === 'string' && networks.has(key)))
}
