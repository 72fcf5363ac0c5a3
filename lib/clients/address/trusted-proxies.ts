import type { FastifyRequest } from 'fastify'
import { UNIX } from '../../config/schema/identity-schema.js'
import { copyText, isAddress } from './address-reader.js'
import { createNetworks, type Networks } from './networks.js'
import { findPeer, UNIX_PEER, type Peer } from './peer.js'

/** Entries read from a header. No chain of proxies is longer. */
const MAX_ENTRIES = 64

/** Longest entry: an address with a port, brackets and quotes is shorter. */
const MAX_ENTRY_LENGTH = 96

/** Header lines that Node.js reads if the server does not set `maxHeadersCount`. */
const MAX_HEADER_LINES = 1000

/** In a longer header, the address is copied, so that it does not keep the header in memory. */
const LARGE_HEADER_LENGTH = 256

const COMMA = 0x2c

/**
 * Derives a client's address from X-Forwarded-For, where each proxy appends the address of its own peer. The client is the
 * rightmost entry that is not a trusted proxy. Entries left of it are not trusted: the client may have written them.
 */
export class TrustedProxies {
  readonly #networks: Networks
  readonly #isUnixTrusted: boolean

  /** Throws FST_SLUICE_BAD_OPTION with the place. */
  constructor (list: readonly string[], place: string) {
    this.#networks = createNetworks(list, place, [UNIX])
    this.#isUnixTrusted = list.includes(UNIX)
  }

  /** Whether the request comes from a trusted proxy, so that its forwarding headers are trusted. */
  isFromTrustedProxy (request: FastifyRequest): boolean {
    return this.#isTrusted(findPeer(request))
  }

  /** The client's address; `undefined` if it is unknown. */
  findAddress (request: FastifyRequest): string | undefined {
    const connected = findPeer(request)
    const peer = typeof connected === 'string' ? connected : undefined
    const lines = request.raw.headers['x-forwarded-for']
    if (!this.#isTrusted(connected)) return peer
    if (mayBeTruncated(request)) return undefined
    if (lines === undefined) return peer
    // Node.js joins several header lines, so an array is not expected.
    const header = typeof lines === 'string' ? lines : lines.join(',')
    const address = this.#findClientAddress(header, peer)
    return address !== undefined && header.length > LARGE_HEADER_LENGTH ? copyText(address) : address
  }

  #isTrusted (peer: Peer): boolean {
    return typeof peer === 'string' ? this.#networks.has(peer) : peer === UNIX_PEER && this.#isUnixTrusted
  }

  /**
   * Walks from the peer leftwards through the entries, as long as each is a trusted proxy. An invalid entry ends the walk
   * at the proxy that wrote it: a client that its proxy hides shares the limit of that proxy, and cannot choose another.
   * The same holds for a chain of trusted proxies only.
   */
  #findClientAddress (header: string, peer: string | undefined): string | undefined {
    let nearest = peer
    let end = header.length
    for (let entries = 0; entries < MAX_ENTRIES && end >= 0; entries++) {
      const start = findEntryStart(header, end)
      const entry = start === null ? null : header.slice(start, end).trim()
      if (entry === null) return nearest
      // Empty list elements are ignored (RFC 9110, 5.6.1).
      if (entry !== '') {
        const address = parseEntryAddress(entry)
        if (address === null) return nearest
        if (!this.#networks.has(address)) return address
        nearest = address
      }
      end = (start ?? 0) - 1
    }
    return nearest
  }
}

/**
 * Whether Node.js may have dropped header lines. It silently drops the last ones, and the proxy's line would be there.
 * The client is then unknown. It must not count as the proxy, whose address may be exempt.
 */
function mayBeTruncated (request: FastifyRequest): boolean {
  const maxLines = request.server.server.maxHeadersCount ?? MAX_HEADER_LINES
  return maxLines > 0 && request.raw.rawHeaders.length >= 2 * maxLines
}

/** The start of the entry that ends at `end`. `null` if the entry is too long, without scanning all of it. */
function findEntryStart (header: string, end: number): number | null {
  const minStart = Math.max(0, end - MAX_ENTRY_LENGTH)
  let start = end
  while (start > minStart && header.charCodeAt(start - 1) !== COMMA) start--
  return start === 0 || header.charCodeAt(start - 1) === COMMA ? start : null
}

const QUOTED = /^"(.*)"$/
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/
const WITH_PORT = /^([^:]*):\d{1,5}$/

/** The address in an entry: bare, with a port, in brackets, or in quotes. `null` if it has none. */
function parseEntryAddress (entry: string): string | null {
  if (isAddress(entry)) return entry
  const bare = QUOTED.exec(entry)?.[1] ?? entry
  // Without brackets, what follows the last colon of an IPv6 address is part of it.
  const address = BRACKETED.exec(bare)?.[1] ?? WITH_PORT.exec(bare)?.[1] ?? bare
  return isAddress(address) ? address : null
}
