import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/*
 * A browser on an allowed address runs pages of any site. What such a page may do here is decided by these functions. Programs
 * that are no browsers send none of these headers, so they are not affected.
 */

/**
 * Whether a request is from no page of another origin. Browsers send `Sec-Fetch-Site` to secure origins only, but `Origin` with
 * every request that is not GET or HEAD, and with every request whose response the page could read by CORS. The first is
 * right also where a proxy changes `Host`.
 *
 * A link may lead here: the page with the link cannot read the response.
 */
export function isFromSameOrigin (request: FastifyRequest): boolean {
  const { headers, method } = request
  const site = headers['sec-fetch-site']
  if (site === 'same-origin' || site === 'none') return true
  if (headers.origin !== undefined && !isOriginOf(headers.origin, request.host)) return false
  return site === undefined || (headers['sec-fetch-mode'] === 'navigate' && (method === 'GET' || method === 'HEAD'))
}

/** `null`, the origin of a page in a sandbox, is of no host. */
function isOriginOf (origin: string, host: string): boolean {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1].toLowerCase() === host.toLowerCase()
}

/** Names that no public DNS server can answer: without a dot, and below domains that are reserved for private networks. */
const PRIVATE_NAME = /^(?:[a-z0-9_-]+|(?:[a-z0-9_-]+\.)+(?:localhost|local|internal))$/

/**
 * Whether a request is to an address or to a private name, also for the proxy that it came through. Any other name may be of an
 * attacker, who lets it lead to an address of this network (DNS rebinding): for the browser, their page has our origin then.
 */
export function isToPrivateHost (request: FastifyRequest): boolean {
  const { host, ':authority': authority } = request.headers
  return [host ?? authority, request.host].every((one) => typeof one === 'string' && isPrivateHost(one))
}

function isPrivateHost (host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').replace(/\.$/, '').toLowerCase()
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || PRIVATE_NAME.test(name)
}
