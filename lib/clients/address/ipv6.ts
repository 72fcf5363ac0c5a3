import { isIPv6 } from 'node:net'
import { parseIpv4 } from './ipv4.js'

const GROUPS = 8
const COLON = 0x3a
const NO_GAP = GROUPS + 1

/** The groups of the last parsed address. */
const groups = new Uint16Array(GROUPS)

/**
 * The eight groups of an IPv6 address, without its zone; `null` if the text is not one.
 * The next call overwrites them.
 */
export function parseGroups (text: string): Uint16Array | null {
  const plain = parsePlainGroups(text)
  return plain !== null || !isIPv6(text) ? plain : parsePlainGroups(toPlainIpv6(text))
}

/** The same for hexadecimal groups only: also `null` for an address with a zone or an embedded IPv4 address. */
export function parsePlainGroups (text: string): Uint16Array | null {
  return tryReadGroups(text) ? groups : null
}

/** Whether these are the groups of an IPv4-mapped address, ::ffff:0:0/96. */
export function isIpv4Mapped (groups: Uint16Array): boolean {
  return groups[5] === 0xffff && (groups[0] | groups[1] | groups[2] | groups[3] | groups[4]) === 0
}

/**
 * The same address without its zone, and with an embedded IPv4 address in hexadecimal.
 * Not by ipaddr.js, which reads the old form ::192.0.2.1 as IPv4-mapped.
 */
function toPlainIpv6 (text: string): string {
  const address = text.split('%')[0]
  const tailAt = address.lastIndexOf(':') + 1
  const tail = parseIpv4(address.slice(tailAt))
  return tail === null ? address : `${address.slice(0, tailAt)}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`
}

/** Parses an address of hexadecimal groups (RFC 4291, 2.2, forms 1 and 2) into `groups`. Returns whether the text is one. */
function tryReadGroups (text: string): boolean {
  const { length } = text
  let at = 0
  let count = 0
  let gap = NO_GAP
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false
    gap = 0
    at = 2
  }
  while (at < length) {
    const begin = at
    let value = 0
    for (let digit = parseHexDigit(text.charCodeAt(at)); digit >= 0; digit = at < length ? parseHexDigit(text.charCodeAt(at)) : -1) {
      value = value << 4 | digit
      at++
    }
    if (at === begin || at - begin > 4 || count === GROUPS) return false
    groups[count++] = value
    if (at === length) break
    if (text.charCodeAt(at++) !== COLON || at === length) return false
    if (text.charCodeAt(at) === COLON) {
      if (gap !== NO_GAP) return false
      gap = count
      at++
    }
  }
  return gap === NO_GAP ? count === GROUPS : count < GROUPS && openGap(gap, count)
}

/** Inserts the zeros that `::` stands for. */
function openGap (gap: number, count: number): boolean {
  groups.copyWithin(gap + GROUPS - count, gap, count)
  groups.fill(0, gap, gap + GROUPS - count)
  return true
}

function parseHexDigit (code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** Up to here the text of a subnet is its groups and a trailing `::` (RFC 5952: the longest run of zeros is shortened). */
export const MAX_PLAIN_SUBNET_BITS = 64

/**
 * The subnet of an IPv6 address in one pass, such as `2001:db8:0:ab00::/56`. It runs at the first request of each IPv6
 * client, where the general parser takes five times as long as all the rest of the limiter.
 * `null` for any text that is not plain hexadecimal groups, and for an IPv4-mapped address: the general parser reads those.
 *
 * `bits`: 1 to 64.
 */
export function formatPlainSubnet (text: string, bits: number): string | null {
  const groups = parsePlainGroups(text)
  if (groups === null || isIpv4Mapped(groups)) return null
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
