import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { badOption } from '../config/check.js'

const EXPECTED = 'an address or a CIDR such as "10.0.0.0/8", "loopback" or "private"'

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']
}

/** A set of networks. Membership is asked of the full address. */
export interface Networks {
  has (address: string): boolean
}

/** The networks that a list of CIDRs, addresses and names means. Throws FST_SLUICE_BAD_OPTION with the place. */
export function networksOf (list: readonly string[], place: string): Networks {
  const networks = new BlockList()
  list.forEach((text, index) => {
    for (const cidr of Object.hasOwn(NAMED, text) ? NAMED[text] : [text]) {
      if (!add(networks, cidr)) throw badOption(`${place}[${index}]`, EXPECTED, text)
    }
  })
  return { has: (address) => contains(networks, address) }
}

function add (networks: BlockList, cidr: string): boolean {
  const [address, bits, ...rest] = cidr.split('/')
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null
  if (family === null || rest.length > 0) return false
  const widest = family === 'ipv4' ? 32 : 128
  if (bits === undefined) {
    networks.addAddress(address, family)
    return true
  }
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > widest) return false
  networks.addSubnet(address, Number(bits), family)
  return true
}

function contains (networks: BlockList, address: string): boolean {
  const bare = address.split('%')[0]
  if (isIPv4(bare)) return networks.check(bare, 'ipv4')
  if (!isIPv6(bare)) return false
  // BlockList reads an IPv4-mapped address as the IPv4 address that it is.
  return networks.check(bare, 'ipv6')
}
