import { parseCidrs, type Cidr } from '../../config/schema/network-list.js'
import { parseIpv4 } from './ipv4.js'
import { parseGroups, isIpv4Mapped } from './ipv6.js'
import { Ranges, type Range } from './ranges.js'

/** A set of networks. Membership is asked of the full address. */
export interface Networks {
  has (address: string): boolean
}

/**
 * The networks that a list of CIDRs, addresses and names means, for look-ups whose time hardly depends on how many they
 * are: 10,000 take 14 comparisons. `words` are entries that mean something else to the option.
 *
 * An IPv4-mapped address is the IPv4 address that it carries, in the list as in a look-up, and a zone tells nothing.
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
  // A prefix that leaves the mark of mapped addresses open spans IPv6 addresses as well, and means those.
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
