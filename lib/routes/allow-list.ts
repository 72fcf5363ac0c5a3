import type { FastifyRequest } from 'fastify'
import { createNetworks, type Networks } from '../clients/address/networks.js'
import { findPeer, UNIX_PEER } from '../clients/address/peer.js'
import type { IdentityServices } from '../clients/identity.js'
import { lazy } from '../common/lazy.js'

/** Built at the first request for such a route: Node.js takes long to parse its first IPv6 address. */
const getDefaultNetworks = lazy(() => createNetworks(['loopback', 'private'], 'rateLimit.allow'))

/** Headers that proxies add. */
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']

/** The addresses that may use a private route of one registration. */
export class AccessList {
  /** Whether the application has set the list. */
  readonly isExplicit: boolean
  readonly #getAllowed: () => Networks
  readonly #identity: () => IdentityServices

  /**
   * `allow`: networks; default loopback and private addresses. `place`: of the option, for errors. `identity`: returns
   * the current services that derive the client's address. Throws FST_SLUICE_BAD_OPTION.
   */
  constructor (allow: readonly string[] | undefined, place: string, identity: () => IdentityServices) {
    this.isExplicit = allow !== undefined
    const networks = allow === undefined ? null : createNetworks(allow, place)
    this.#getAllowed = () => networks ?? getDefaultNetworks()
    this.#identity = identity
  }

  /**
   * Every address on the way must be allowed: the socket's peer and the addresses that Fastify derives. With
   * `trustProxy: true` the client can forge the last of them, but its real address is in the list too.
   *
   * A forwarding header from an untrusted proxy is refused. Otherwise a proxy on the same host would publish the route.
   */
  allows (request: FastifyRequest): boolean {
    const peer = findPeer(request)
    const allowed = this.#getAllowed()
    // The peer of a Unix socket has no address, and is always on this host. A closed connection may be of any client.
    if (peer !== UNIX_PEER && (peer === null || !allowed.has(peer))) return false
    if (FORWARDING_HEADERS.every((name) => request.headers[name] === undefined)) return true
    const { proxies, identifier } = this.#identity()
    if (proxies !== null) return proxies.isFromTrustedProxy(request) && allowed.has(identifier.getAddress(request))
    // The first address is the peer. There are others only if the peer is trusted.
    const [, ...derived] = request.ips ?? []
    return derived.length > 0 && derived.every((address) => allowed.has(address))
  }
}
