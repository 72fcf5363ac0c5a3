import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { UNIX } from '../../config/schema/identity-schema.js'
import { copyText, isAddress } from './address-reader.js'
import { createNetworks, type Networks } from './networks.js'

/** No chain of proxies is longer; whatever else a header holds is not read. */
const MAX_ENTRIES = 64

/** An entry of more characters is no address with a port, brackets and quotes. */
const MAX_ENTRY_LENGTH = 96

/** Header lines that Node.js reads where the server says nothing of it. */
const MAX_HEADER_LINES = 1000

/** From here on, a text cut out of a header is copied. */
const LARGE_HEADER_LENGTH = 256

const COMMA = 0x2c

/**
 * Derives a client's address from X-Forwarded-For, where each proxy appends the address it was asked from: the
 * rightmost one that is not a trusted proxy's. What stands left of it is whatever the client wrote.
 */
export class TrustedProxies {
  readonly #networks: Networks
  readonly #isUnixTrusted: boolean

  /** Throws FST_SLUICE_BAD_OPTION with the place. */
  constructor (list: readonly string[], place: string) {
    this.#networks = createNetworks(list, place, [UNIX])
    this.#isUnixTrusted = list.includes(UNIX)
  }

  /** Whether the request comes from a trusted proxy, so that its forwarding headers are believed. */
  isFromTrustedProxy (request: FastifyRequest): boolean {
    const { socket } = request.raw
    return socket.remoteAddress === undefined ? this.#isUnixTrusted && isUnixSocket(socket) : this.#networks.has(socket.remoteAddress)
  }

  /** The client's address; `undefined` where its peer has none. */
  findAddress (request: FastifyRequest): string | undefined {
    const peer = request.raw.socket.remoteAddress
    const lines = request.raw.headers['x-forwarded-for']
    if (!this.isFromTrustedProxy(request)) return peer
    if (mayBeTruncated(request)) return undefined
    if (lines === undefined) return peer
    // Node joins several header lines itself.
    const header = typeof lines === 'string' ? lines : lines.join(',')
    const address = this.#findClientAddress(header, peer)
    return address !== undefined && header.length > LARGE_HEADER_LENGTH ? copyText(address) : address
  }

  /**
   * From the peer leftwards through the entries, as far as each is a trusted proxy's. An entry that cannot be read ends
   * the walk at the proxy that wrote it: a client whose proxy hides it shares that proxy's limit, instead of getting the
   * choice of another's. The same goes for a chain of nothing but trusted proxies.
   */
  #findClientAddress (header: string, peer: string | undefined): string | undefined {
    let nearest = peer
    let end = header.length
    for (let entries = 0; entries < MAX_ENTRIES && end >= 0; entries++) {
      const start = findEntryStart(header, end)
      const entry = start === null ? null : header.slice(start, end).trim()
      if (entry === null) return nearest
      // An empty element of a list is none (RFC 9110, 5.6.1).
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
 * Whether Node.js may have left header lines out: it drops the last ones without a word, and there the proxy's would be.
 * Who is behind it is unknown then, and not the proxy, whose address may be exempt.
 */
function mayBeTruncated (request: FastifyRequest): boolean {
  const maxLines = request.server.server.maxHeadersCount ?? MAX_HEADER_LINES
  return maxLines > 0 && request.raw.rawHeaders.length >= 2 * maxLines
}

/** A peer of a closed or reset connection has no address either, and may be anybody. */
function isUnixSocket (socket: Socket): boolean {
  return !socket.destroyed && socket.localAddress === undefined
}

/** Where the entry that ends at `end` begins; `null` when it is too long to be one, without reading all of it. */
function findEntryStart (header: string, end: number): number | null {
  const minStart = Math.max(0, end - MAX_ENTRY_LENGTH)
  let start = end
  while (start > minStart && header.charCodeAt(start - 1) !== COMMA) start--
  return start === 0 || header.charCodeAt(start - 1) === COMMA ? start : null
}

const QUOTED = /^"(.*)"$/
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/
const WITH_PORT = /^([^:]*):\d{1,5}$/

/** The address in an entry: bare, with a port, in brackets, or in quotes. `null` where there is none. */
function parseEntryAddress (entry: string): string | null {
  if (isAddress(entry)) return entry
  const bare = QUOTED.exec(entry)?.[1] ?? entry
  // Without brackets, what follows the last colon of an IPv6 address is part of it.
  const address = BRACKETED.exec(bare)?.[1] ?? WITH_PORT.exec(bare)?.[1] ?? bare
  return isAddress(address) ? address : null
}
