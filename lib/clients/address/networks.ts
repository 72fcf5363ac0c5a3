import { cidrsOf, type Cidr } from '../../config/schema/network-list.js'
import { ipv4Of } from './ipv4.js'
import { groupsOf, isMapped } from './ipv6.js'
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
export function networksOf (list: readonly string[], place: string, words: readonly string[] = []): Networks {
  const ranges: Record<Cidr['family'], Range[]> = { ipv4: [], ipv6: [] }
  for (const cidr of cidrsOf(list, place, words)) {
    const { family, range } = rangeOf(cidr)
    ranges[family].push(range)
  }
  return new NetworkSet(ranges.ipv4, ranges.ipv6)
}

/** The two groups of the IPv4 address that is looked up. */
const pair = new Uint16Array(2)

class NetworkSet implements Networks {
  readonly #ipv4: Ranges
  readonly #ipv6: Ranges

  constructor (ipv4: readonly Range[], ipv6: readonly Range[]) {
    this.#ipv4 = new Ranges(2, ipv4)
    this.#ipv6 = new Ranges(8, ipv6)
  }

  has (address: string): boolean {
    const ipv4 = ipv4Of(address)
    if (ipv4 !== null) {
      pair[0] = ipv4 >>> 16
      pair[1] = ipv4 & 0xffff
      return this.#ipv4.hold(pair)
    }
    const groups = groupsOf(address)
    if (groups === null) return false
    if (!isMapped(groups)) return this.#ipv6.hold(groups)
    pair[0] = groups[6]
    pair[1] = groups[7]
    return this.#ipv4.hold(pair)
  }
}

function rangeOf ({ address, bits }: Cidr): { family: Cidr['family'], range: Range } {
  const ipv4 = ipv4Of(address)
  if (ipv4 !== null) return { family: 'ipv4', range: rangeFrom([ipv4 >>> 16, ipv4 & 0xffff], bits) }
  const groups = [...groupsOf(address) ?? []]
  // A prefix that leaves the mark of mapped addresses open spans IPv6 addresses as well, and means those.
  if (bits >= 96 && isMapped(Uint16Array.from(groups))) return { family: 'ipv4', range: rangeFrom(groups.slice(6), bits - 96) }
  return { family: 'ipv6', range: rangeFrom(groups, bits) }
}

function rangeFrom (groups: readonly number[], bits: number): Range {
  const masks = groups.map((_, index) => 0xffff << (16 - Math.min(16, Math.max(0, bits - index * 16))) & 0xffff)
  return {
    first: groups.map((group, index) => group & masks[index]),
    last: groups.map((group, index) => group | (~masks[index] & 0xffff))
  }
}
