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
  hasToken (request: FastifyRequest): boolean
}

/** The name of the request's verifying method. */
export function toVerifyMethodName ({ namespace, method }: TokenOptions): string {
  return method ?? (namespace === undefined ? 'jwtVerify' : `${namespace}JwtVerify`)
}

/** The registration that a scope sees; `null` where there is none. */
export function findJwtPlugin (fastify: FastifyInstance, namespace: string | undefined): JwtPlugin | null {
  const decorator = readField(fastify, 'jwt')
  const registration = namespace === undefined ? decorator : readField(decorator, namespace)
  const options = readField(registration, 'options')
  if (options === undefined) return null
  const decoratorName = readField(options, 'decoratorName')
  const extract = readField(readField(options, 'verify'), 'extractToken')
  const isCookieOnly = readField(readField(options, 'verify'), 'onlyCookie') === true
  const cookieName = readField(readField(registration, 'cookie'), 'cookieName')
  return {
    decoratorName: typeof decoratorName === 'string' ? decoratorName : 'user',
    hasToken (request) {
      if (isTokenExtractor(extract)) return canExtractToken(extract, request)
      if (!isCookieOnly && /^Bearer\s/i.test(request.headers.authorization ?? '')) return true
      const cookie = typeof cookieName === 'string' ? readField(readField(request, 'cookies'), cookieName) : undefined
      return typeof cookie === 'string' && cookie !== ''
    }
  }
}

type TokenExtractor = (request: FastifyRequest) => unknown

function isTokenExtractor (value: unknown): value is TokenExtractor {
  return typeof value === 'function'
}

/** A lookup that throws where there is no token says that there is none. */
function canExtractToken (extract: TokenExtractor, request: FastifyRequest): boolean {
  try {
    return Boolean(extract(request))
  } catch {
    return false
  }
}

function readField (holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
}
