import { parseCidrs, type Cidr } from '../../config/schema/network-list.js'
import { parseIpv4 } from './ipv4.js'
import { parseGroups, isIpv4Mapped } from './ipv6.js'
import { Ranges, type Range } from './ranges.js'

/** A set of networks. `has` takes the full address. */
export interface Networks {
  has (address: string): boolean
}

/**
 * Builds a set of networks from CIDRs, addresses and names. A look-up hardly depends on their number: 10,000 networks take
 * 14 comparisons. `keywords`: entries with another meaning to the option.
 *
 * An IPv4-mapped address counts as its IPv4 address, in the list and in a look-up. A zone is ignored.
 * Throws FST_SLUICE_BAD_OPTION with the place.
 */
export function createNetworks (list: readonly string[], place: string, keywords: readonly string[] = []): Networks {
  const ranges: Record<Cidr['family'], Range[]> = { ipv4: [], ipv6: [] }
  for (const cidr of parseCidrs(list, place, keywords)) {
    const { family, range } = toFamilyRange(cidr)
    ranges[family].push(range)
  }
  return new NetworkSet(ranges.ipv4, ranges.ipv6)
}

/** The two groups of the IPv4 address that is looked up. */
const ipv4Groups = new Uint16Array(2)

class NetworkSet implements Networks {
  readonly #ipv4: Ranges
  readonly #ipv6: Ranges

  constructor (ipv4: readonly Range[], ipv6: readonly Range[]) {
    this.#ipv4 = new Ranges(2, ipv4)
    this.#ipv6 = new Ranges(8, ipv6)
  }

  has (address: string): boolean {
    const ipv4 = parseIpv4(address)
    if (ipv4 !== null) {
      ipv4Groups[0] = ipv4 >>> 16
      ipv4Groups[1] = ipv4 & 0xffff
      return this.#ipv4.has(ipv4Groups)
    }
    const groups = parseGroups(address)
    if (groups === null) return false
    if (!isIpv4Mapped(groups)) return this.#ipv6.has(groups)
    ipv4Groups[0] = groups[6]
    ipv4Groups[1] = groups[7]
    return this.#ipv4.has(ipv4Groups)
  }
}

function toFamilyRange ({ address, bits }: Cidr): { family: Cidr['family'], range: Range } {
  const ipv4 = parseIpv4(address)
  if (ipv4 !== null) return { family: 'ipv4', range: createRange([ipv4 >>> 16, ipv4 & 0xffff], bits) }
  const groups = [...parseGroups(address) ?? []]
  // A shorter prefix than that of mapped addresses also contains other IPv6 addresses, so it is an IPv6 range.
  if (bits >= 96 && isIpv4Mapped(Uint16Array.from(groups))) return { family: 'ipv4', range: createRange(groups.slice(6), bits - 96) }
  return { family: 'ipv6', range: createRange(groups, bits) }
}

function createRange (groups: readonly number[], bits: number): Range {
  const masks = groups.map((_, index) => 0xffff << (16 - Math.min(16, Math.max(0, bits - index * 16))) & 0xffff)
  return {
    first: groups.map((group, index) => group & masks[index]),
    last: groups.map((group, index) => group | (~masks[index] & 0xffff))
  }
}
