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

/** The key of a request's client. Rejects with the errors of the application's generator. */
export async function resolveKey (
  request: FastifyRequest, generate: RateLimitOptions['keyGenerator'] | null, ipv6Subnet: number
): Promise<string> {
  const key: unknown = generate === null || generate === undefined ? normalizeIP(findAddress(request), ipv6Subnet) : await generate(request)
  // Any other value is no key: for an empty one the plugin logs a fault and counts the address.
  return typeof key === 'string' || Number.isFinite(key) ? String(key) : ''
}

/** Empty after a reset of the connection, which then has no address. */
function findAddress (request: FastifyRequest): string {
  const address: string | undefined = request.ip
  return address ?? ''
}

/** Returns whether a request passes uncounted. */
export type AllowList = ((request: FastifyRequest, key: string) => unknown) | null

/**
 * A list has keys, addresses and networks. Addresses and networks are compared with the client's full address, so that a
 * single address of an IPv6 subnet can be on the list. With a `keyGenerator` they are compared with the key, which may be an
 * address too: `request.ip` may then be a proxy's address.
 *
 * Throws FST_SLUICE_BAD_OPTION for a network with an invalid prefix.
 */
export function createAllowList (options: Pick<RateLimitOptions, 'allowList' | 'keyGenerator'>, place: string): AllowList {
  const { allowList, keyGenerator } = options
  if (allowList === undefined || typeof allowList === 'function') return allowList ?? null
  if (allowList.length === 0) return null
  const keys = new Set(allowList)
  // Any other text is a key, including names of networks such as "private".
  const networks = createNetworks(allowList.filter((entry) => isIP(entry.split('/')[0]) !== 0), place)
  return (request, key) => keys.has(key) || networks.has(keyGenerator === undefined ? findAddress(request) : key)
}
