import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { canonicalizeAddress } from '../clients/address/address-reader.js'
import { createNetworks } from '../clients/address/networks.js'
import type { RateLimitOptions } from './options.js'

/** How long the beginning of an IPv6 address is that tells clients apart. */
export const IPV6_SUBNET = 64

/**
 * The key of an address: IPv4 as it is, IPv4-mapped IPv6 as IPv4, other IPv6 as the first address of its subnet. What is
 * no address is answered in lower case.
 */
export function normalizeIP (ip: string, ipv6Subnet: number = IPV6_SUBNET): string {
  const canonical = canonicalizeAddress(ip, ipv6Subnet)
  return canonical === null ? ip.toLowerCase() : canonical.replace(/\/\d+$/, '')
}

/** The key of a request's client. Rejects with what a generator of the application's throws. */
export async function resolveKey (request: FastifyRequest, generate: RateLimitOptions['keyGenerator'] | null, ipv6Subnet: number): Promise<string> {
  const key: unknown = generate === null || generate === undefined ? normalizeIP(request.ip, ipv6Subnet) : await generate(request)
  // Whatever else it is, it is nobody's key; the plugin logs that and counts the address.
  return typeof key === 'string' || Number.isFinite(key) ? String(key) : ''
}

/** Whether a request is let through uncounted. */
export type AllowList = ((request: FastifyRequest, key: string) => unknown) | null

/**
 * A list holds keys, and addresses and networks. These are asked of the client's full address: in an IPv6 subnet that shares
 * one key, one address can be on it. Where the application generates keys, it says who is asking, and `request.ip` may be
 * its proxy's; so the key is asked there, which may be an address too.
 *
 * Throws FST_SLUICE_BAD_OPTION where a network has no such prefix.
 */
export function createAllowList ({ allowList, keyGenerator }: Pick<RateLimitOptions, 'allowList' | 'keyGenerator'>, place: string): AllowList {
  if (allowList === undefined || typeof allowList === 'function') return allowList ?? null
  if (allowList.length === 0) return null
  const keys = new Set(allowList)
  // Every other text is a key, whatever it means elsewhere: "private" is no network here.
  const networks = createNetworks(allowList.filter((entry) => isIP(entry.split('/')[0]) !== 0), place)
  return (request, key) => keys.has(key) || networks.has(keyGenerator === undefined ? request.ip : key)
}
