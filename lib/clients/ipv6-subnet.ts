import { isMapped, plainGroupsOf } from './ipv6-groups.js'

/*
 * The subnet of an IPv6 address, read in one pass: it runs at the first request of each IPv6 client, where the general
 * parser takes five times as long as all the rest of the limiter. What is not plain hexadecimal groups is left to that.
 */

/** The widest subnet whose text is always the groups before a trailing `::` (RFC 5952: the longest run of zeros is cut). */
export const WIDEST_PLAIN_SUBNET = 64

/**
 * `2001:db8:0:ab00::/56` for any address of that subnet; `null` for an IPv4-mapped address, one with a zone or an
 * embedded IPv4 address, and for what is no address.
 *
 * `bits`: 1 to 64.
 */
export function plainSubnet (text: string, bits: number): string | null {
  const groups = plainGroupsOf(text)
  if (groups === null || isMapped(groups)) return null
  let subnet = ''
  let zeros = ''
  for (let i = 0; i * 16 < bits; i++) {
    const kept = Math.min(16, bits - i * 16)
    const group = groups[i] & (0xffff << (16 - kept))
    if (group === 0) {
      zeros += '0:'
    } else {
      subnet += `${zeros}${group.toString(16)}:`
      zeros = ''
    }
  }
  return subnet === '' ? `::/${bits}` : `${subnet}:/${bits}`
}
