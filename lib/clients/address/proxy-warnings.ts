import type { FastifyInstance } from 'fastify'
import { warnings } from '../../errors.js'

/**
 * Warn of a `trustProxy` that does not do what it seems to, where it decides: not beside `trustedProxies`.
 * Answers whether no proxy is trusted at all, so that a forwarding header would be a sign of a forgotten setting.
 */
export function warnAboutProxies (fastify: FastifyInstance, trustedProxies?: readonly string[]): boolean {
  if (trustedProxies !== undefined) return false
  const trustProxy = readTrustProxy(fastify)
  if (trustProxy === true) {
    process.emitWarning('trustProxy: true believes the leftmost X-Forwarded-For entry, which anyone can forge to get a fresh rate limit; name the addresses of your proxies instead', { code: warnings.trustsEveryProxy })
  } else if (typeof trustProxy === 'number') {
    process.emitWarning(`trustProxy: ${trustProxy} is ignored by fastify >= 5.12.1, so every client behind the proxy shares one rate limit; name the addresses of your proxies instead`, { code: warnings.trustsProxyCount })
  }
  return trustProxy === undefined || trustProxy === false || typeof trustProxy === 'number'
}

/** Warn that clients are told apart by the address of a proxy that forwards for them. */
export function warnAboutForwarding (): void {
  process.emitWarning('a request has an X-Forwarded-For header, but no proxy is trusted: if there is a proxy, all its clients share one rate limit; set trustedProxies, or Fastify\'s trustProxy, to its addresses', { code: warnings.untrustedForwarding })
}

/**
 * The `trustProxy` option. Fastify publishes it nowhere, so it is read from the options that an instance keeps under
 * a symbol; should that ever move, the warnings stay away and nothing else changes.
 */
function readTrustProxy (fastify: FastifyInstance): unknown {
  for (let scope: object | null = fastify; scope !== null; scope = Object.getPrototypeOf(scope)) {
    const options = Object.getOwnPropertySymbols(scope).find((symbol) => symbol.description === 'fastify.options')
    if (options !== undefined) return Reflect.get(Reflect.get(scope, options), 'trustProxy')
  }
  return undefined
}
