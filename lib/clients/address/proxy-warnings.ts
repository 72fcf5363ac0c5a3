import type { FastifyInstance } from 'fastify'
import { warnings } from '../../errors.js'

/**
 * Warns of a `trustProxy` value that does not work as expected. With `trustedProxies` it has no effect here, and no warning.
 * Returns whether no proxy is trusted: a forwarding header then points to a missing setting.
 */
export function warnAboutProxies (fastify: FastifyInstance, trustedProxies?: readonly string[]): boolean {
  if (trustedProxies !== undefined) return false
  const trustProxy = readTrustProxy(fastify)
  if (trustProxy === true) {
    process.emitWarning(
      'trustProxy: true trusts the leftmost X-Forwarded-For entry, which any client can forge to get a fresh rate limit; ' +
      'name the addresses of your proxies instead',
      { code: warnings.trustsEveryProxy }
    )
  } else if (typeof trustProxy === 'number') {
    process.emitWarning(
      `trustProxy: ${trustProxy} is ignored by fastify >= 5.12.1, so all clients behind the proxy share one rate limit; ` +
      'name the addresses of your proxies instead',
      { code: warnings.trustsProxyCount }
    )
  }
  return trustProxy === undefined || trustProxy === false || typeof trustProxy === 'number'
}

/** Warns that clients may be identified by the address of their proxy. */
export function warnAboutForwarding (): void {
  process.emitWarning(
    'a request has an X-Forwarded-For header, but no proxy is trusted. If there is a proxy, all its clients share one rate limit: ' +
    'set trustedProxies, or Fastify\'s trustProxy, to its addresses',
    { code: warnings.untrustedForwarding }
  )
}

/**
 * The `trustProxy` option. Fastify does not expose it, so it is read from the options that an instance keeps under a
 * symbol. If Fastify moves that, only the warnings are lost.
 */
function readTrustProxy (fastify: FastifyInstance): unknown {
  for (let scope: object | null = fastify; scope !== null; scope = Object.getPrototypeOf(scope)) {
    const options = Object.getOwnPropertySymbols(scope).find((symbol) => symbol.description === 'fastify.options')
    if (options !== undefined) return Reflect.get(Reflect.get(scope, options), 'trustProxy')
  }
  return undefined
}
