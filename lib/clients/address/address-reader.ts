import ipaddr from 'ipaddr.js'
import { GenerationCache } from '../../common/generation-cache.js'
import { ANONYMOUS, type Client } from '../../model/client.js'
import { parseIpv4 } from './ipv4.js'
import { parseGroups } from './ipv6.js'
import { formatPlainSubnet, MAX_PLAIN_SUBNET_BITS } from './ipv6.js'

/** No address is longer: an IPv6 address with an embedded IPv4 one has 45 characters, and zones are short. */
const MAX_ADDRESS_LENGTH = 64

/** The id of every client without a valid address: a Unix socket's peer, a closed connection. They are one client. */
export const UNKNOWN = 'unknown'

const MAPPED = '::ffff:'

/** Addresses cached per generation. An entry takes about 200 bytes. */
const CAPACITY = 16_384

/**
 * Parses the text of an address into its client. IPv4-mapped addresses are IPv4. IPv6 addresses are grouped by subnet,
 * because a subscriber has at least a /64 and often a /56 of them (RIPE-690).
 * Parsing IPv6 costs more than a look-up, so results are cached, in bounded memory.
 */
export class AddressReader {
  readonly #ipv6Subnet: number
  readonly #unknown: Client = new AddressClient(UNKNOWN)
  readonly #clients = new GenerationCache<string, Client>(CAPACITY, copyText)

  /** `ipv6Subnet`: bits of an IPv6 address that identify a client, 1 to 128. */
  constructor (ipv6Subnet: number) {
    this.#ipv6Subnet = ipv6Subnet
  }

  /** The client at a request's address. Any other text is one client, `unknown`. */
  toClient (text: string | undefined): Client {
    if (text === undefined || text.length > MAX_ADDRESS_LENGTH) return this.#unknown
    if (isDottedQuad(text)) return new AddressClient(text)
    // A dual-stack socket reports IPv4 addresses in this form.
    if (text.startsWith(MAPPED)) {
      const embedded = text.slice(MAPPED.length)
      if (isDottedQuad(embedded)) return new AddressClient(embedded)
    }
    const known = this.#clients.get(text)
    if (known !== undefined) return known
    const client = this.#parse(text) ?? this.#unknown
    this.#clients.set(text, client)
    return client
  }

  /** The client of an operator's text: an address, a subnet as `toClient` formats it, or `unknown`; else `null`. */
  parseClient (text: string): Client | null {
    if (text === UNKNOWN) return this.#unknown
    const suffix = `/${this.#ipv6Subnet}`
    return this.#parse(text.endsWith(suffix) ? text.slice(0, -suffix.length) : text)
  }

  #parse (text: string): Client | null {
    const plain = this.#ipv6Subnet <= MAX_PLAIN_SUBNET_BITS ? formatPlainSubnet(text, this.#ipv6Subnet) : null
    const address = plain ?? canonicalizeAddress(text, this.#ipv6Subnet)
    return address === null ? null : new AddressClient(address)
  }
}

/** The canonical text of an address, for IPv6 of its subnet (`2001:db8:0:ab00::/56`). `null` if it is no address. */
export function canonicalizeAddress (text: string, ipv6Subnet: number): string | null {
  if (isDottedQuad(text)) return text
  // Strict parsing, so that no address has two spellings: 127.1 and 0177.0.0.1 are rejected.
  const groups = parseGroups(text)
  if (groups === null) return null
  const address = new ipaddr.IPv6([...groups])
  // Check the range, not the notation, and before masking: otherwise all of IPv4 would be one subnet.
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString()
  const masked = new ipaddr.IPv6(address.parts.map((part, index) => part & createGroupMask(index, ipv6Subnet)))
  return ipv6Subnet === 128 ? masked.toRFC5952String() : `${masked.toRFC5952String()}/${ipv6Subnet}`
}

/** Whether a text is an IPv4 or IPv6 address, with or without a zone. */
export function isAddress (text: string): boolean {
  return text.length <= MAX_ADDRESS_LENGTH && (parseIpv4(text) !== null || parseGroups(text) !== null)
}

function isDottedQuad (text: string): boolean {
  return parseIpv4(text) !== null
}

/** A copy: a substring of a header would keep the whole header in memory while it is cached. */
export function copyText (text: string): string {
  return Buffer.from(text).toString()
}

function createGroupMask (partIndex: number, subnetBits: number): number {
  const bits = Math.min(16, Math.max(0, subnetBits - partIndex * 16))
  return (0xffff << (16 - bits)) & 0xffff
}

/** The client at an address. Concatenation costs more than all the rest, so the partition is made when it is read. */
class AddressClient implements Client {
  readonly kind = 'ip'
  readonly id: string
  readonly tier = ANONYMOUS

  constructor (id: string) {
    this.id = id
  }

  get partition (): string {
    return `ip:${this.id}`
  }

  toJSON (): Client {
    const { kind, id, tier, partition } = this
    return { kind, id, tier, partition }
  }
}
