import type { FastifyRequest } from 'fastify'
import { createNetworks, type Networks } from '../clients/address/networks.js'
import type { IdentityServices } from '../clients/identity.js'

const DEFAULT_NETWORKS = ['loopback', 'private']

/** Headers by which a proxy tells of itself. */
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']

/** Who may ask one registration at a route that is not for everybody. */
export class AccessList {
  /** Whether the application said who may ask. */
  readonly isExplicit: boolean
  readonly #allowed: Networks
  readonly #identity: () => IdentityServices

  /**
   * `allow`: networks; by default loopback and private addresses. `place`: where they are written. `identity`: whose word
   * for the client's address is taken at present. Throws FST_SLUICE_BAD_OPTION.
   */
  constructor (allow: readonly string[] | undefined, place: string, identity: () => IdentityServices) {
    this.isExplicit = allow !== undefined
    this.#allowed = createNetworks(allow ?? DEFAULT_NETWORKS, place)
    this.#identity = identity
  }

  /**
   * Both ends must be allowed, and every proxy between them: the socket's peer and the addresses that Fastify derives. With
   * `trustProxy: true` the last of those is whatever the client wrote, but its own is among them. A request with a
   * forwarding header from a proxy that nobody trusts is refused, so that a proxy on the same host does not publish the route.
   */
  allows (request: FastifyRequest): boolean {
    const peer = request.socket.remoteAddress
    // A Unix socket's peer has no address; whoever can open the socket is on this host.
    if (peer !== undefined && !this.#allowed.has(peer)) return false
    if (FORWARDING_HEADERS.every((name) => request.headers[name] === undefined)) return true
    const { proxies, identifier } = this.#identity()
    if (proxies !== null) return proxies.isFromTrustedProxy(request) && this.#allowed.has(identifier.getAddress(request))
    // The first is the peer; there are others only where it is trusted.
    const [, ...derived] = request.ips ?? []
    return derived.length > 0 && derived.every((address) => this.#allowed.has(address))
  }
}
