import type { FastifyRequest } from 'fastify'

export type RouteConfig = FastifyRequest['routeOptions']['config']

/** The symbol under which Fastify keeps the context of a request's route. It is not exported, so it has to be found. */
declare const kContext: unique symbol

declare module 'fastify' {
  interface FastifyRequest {
    [kContext]?: { readonly config: RouteConfig }
  }
}

/**
 * A reader of requests' route configs. `request.toRouteOptions` makes an object of twelve fields at each call, a tenth of
 * what limiting a request costs, so the context behind it is read where it can be found. Should Fastify ever keep it
 * elsewhere, the first request tells, and `toRouteOptions` is read from then on.
 */
export function createRouteConfigReader (): (request: FastifyRequest) => RouteConfig {
  let key: typeof kContext | null | undefined
  return (request) => {
    if (key === undefined) key = findContextKey(request)
    const context = key === null ? undefined : request[key]
    return context === undefined ? request.routeOptions.config : context.config
  }
}

function findContextKey (request: FastifyRequest): typeof kContext | null {
  const { config } = request.routeOptions
  return Object.getOwnPropertySymbols(request).find((key) => isContextKey(key, request, config)) ?? null
}

function isContextKey (key: symbol, request: FastifyRequest, config: RouteConfig): key is typeof kContext {
  const held: unknown = Reflect.get(request, key)
  return typeof held === 'object' && held !== null && 'config' in held && held.config === config
}
