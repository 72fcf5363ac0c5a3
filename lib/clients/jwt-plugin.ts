import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TokenOptions } from '../config/schema/identity-schema.js'

/*
 * What is known of @fastify/jwt (version 10), an optional peer: neither its code nor its types are needed here.
 */

/** The request's verifying method. It calls back in the same turn where nothing of the application's is asynchronous. */
export type VerifyRequest = (this: object, options: undefined, callback: (error: unknown, payload: unknown) => void) => void

/** One registration of @fastify/jwt. */
export interface JwtPlugin {
  /** The property of a request that holds the payload once the application has verified it. */
  readonly decoratorName: string
  /** Whether the request shows a token where the registration looks for one. */
  isTokenShown (request: FastifyRequest): boolean
}

/** The name of the request's verifying method. */
export function verifyMethodOf ({ namespace, method }: TokenOptions): string {
  return method ?? (namespace === undefined ? 'jwtVerify' : `${namespace}JwtVerify`)
}

/** The registration that a scope sees; `null` where there is none. */
export function jwtPluginOf (fastify: FastifyInstance, namespace: string | undefined): JwtPlugin | null {
  const decorator = field(fastify, 'jwt')
  const registration = namespace === undefined ? decorator : field(decorator, namespace)
  const options = field(registration, 'options')
  if (options === undefined) return null
  const decoratorName = field(options, 'decoratorName')
  const extract = field(field(options, 'verify'), 'extractToken')
  const isCookieOnly = field(field(options, 'verify'), 'onlyCookie') === true
  const cookieName = field(field(registration, 'cookie'), 'cookieName')
  return {
    decoratorName: typeof decoratorName === 'string' ? decoratorName : 'user',
    isTokenShown (request) {
      if (isExtract(extract)) return finds(extract, request)
      if (!isCookieOnly && /^Bearer\s/i.test(request.headers.authorization ?? '')) return true
      const cookie = typeof cookieName === 'string' ? field(field(request, 'cookies'), cookieName) : undefined
      return typeof cookie === 'string' && cookie !== ''
    }
  }
}

type Extract = (request: FastifyRequest) => unknown

function isExtract (value: unknown): value is Extract {
  return typeof value === 'function'
}

/** A lookup that throws where there is no token says that there is none. */
function finds (extract: Extract, request: FastifyRequest): boolean {
  try {
    return Boolean(extract(request))
  } catch {
    return false
  }
}

function field (holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
}
