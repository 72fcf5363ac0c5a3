import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TokenOptions } from '../config/schema/identity-schema.js'

/*
 * Reads the decorators of @fastify/jwt (version 10). It is an optional peer, so its code and types are not imported.
 */

/** The request's verifying method. Calls back synchronously if the application's secret and `trusted` are synchronous. */
export type VerifyRequest = (this: object, options: undefined, callback: (error: unknown, payload: unknown) => void) => void

/** One registration of @fastify/jwt. */
export interface JwtPlugin {
  /**
   * The property of a request that holds the verified payload. `null` if other registrations write to the same property, as
   * they do by default: then it does not show which of them verified the token.
   */
  readonly decoratorName: string | null
  /** Whether the request has a token where the registration looks for one. */
  hasToken (request: FastifyRequest): boolean
}

/** The name of the request's verifying method. */
export function toVerifyMethodName ({ namespace, method }: TokenOptions): string {
  return method ?? (namespace === undefined ? 'jwtVerify' : `${namespace}JwtVerify`)
}

/** The registration visible in a scope; `null` without one. */
export function findJwtPlugin (fastify: FastifyInstance, namespace: string | undefined): JwtPlugin | null {
  const decorator = readField(fastify, 'jwt')
  const registration = namespace === undefined ? decorator : readField(decorator, namespace)
  const options = readField(registration, 'options')
  if (options === undefined) return null
  const decoratorName = getDecoratorName(registration)
  const extract = readField(readField(options, 'verify'), 'extractToken')
  const isCookieOnly = readField(readField(options, 'verify'), 'onlyCookie') === true
  const cookieName = readField(readField(registration, 'cookie'), 'cookieName')
  const isShared = listRegistrations(decorator).some((other) => other !== registration && getDecoratorName(other) === decoratorName)
  return {
    decoratorName: isShared ? null : decoratorName,
    hasToken (request) {
      if (isTokenExtractor(extract)) return canExtractToken(extract, request)
      if (!isCookieOnly && /^Bearer\s/i.test(request.headers.authorization ?? '')) return true
      const cookie = typeof cookieName === 'string' ? readField(readField(request, 'cookies'), cookieName) : undefined
      return typeof cookie === 'string' && cookie !== ''
    }
  }
}

/** Registrations with a namespace are properties of the first registration, or of an object of their own. */
function listRegistrations (decorator: unknown): unknown[] {
  if (typeof decorator !== 'object' || decorator === null) return []
  return [decorator, ...Object.values(decorator)].filter((one) => readField(one, 'options') !== undefined)
}

function getDecoratorName (registration: unknown): string {
  const name = readField(readField(registration, 'options'), 'decoratorName')
  return typeof name === 'string' ? name : 'user'
}

type TokenExtractor = (request: FastifyRequest) => unknown

function isTokenExtractor (value: unknown): value is TokenExtractor {
  return typeof value === 'function'
}

/** An extractor that throws has found no token. */
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
