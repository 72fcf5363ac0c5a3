import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ResolvedIdentify, ResolvedToken } from '../config/schema/identity-schema.js'
import { FST_SLUICE_NO_JWT } from '../errors.js'
import { findClaim, parseTier, parseUserId } from './claims.js'
import { findJwtPlugin, toVerifyMethodName, type JwtPlugin, type VerifyRequest } from './jwt-plugin.js'

/** Bounds how many tokens of one partition may fail. */
export interface FailureLimiter {
  /**
   * Counts a verification as failed before it starts, so that concurrent ones cannot exceed the bound.
   * Returns `null` if the partition has failed too often. Otherwise the token may be verified; call the returned function
   * if that succeeds.
   */
  attempt (partition: string): (() => void) | null
}

/** The user that a token's payload names. */
export interface TokenUser {
  readonly id: string
  /** `null` if the payload has no valid tier. */
  readonly tier: string | null
  /** The value of the claim `anchorClaim`. */
  readonly anchor: unknown
}

/**
 * Reads users from tokens that @fastify/jwt verifies, with the secrets, the `trusted` function and the lookup that the
 * application configured there. Why a token is invalid is not reported: the application's own hook responds to that.
 */
export class TokenReader {
  readonly #userClaim: string
  readonly #tierClaim: string
  readonly #anchorClaim: string | undefined
  readonly #namespace: string | undefined
  readonly #method: string
  readonly #failures: FailureLimiter
  #plugin: JwtPlugin | null = null

  constructor (options: ResolvedToken, failures: FailureLimiter) {
    this.#userClaim = options.userClaim
    this.#tierClaim = options.tierClaim
    this.#anchorClaim = options.anchorClaim
    this.#namespace = options.namespace
    this.#method = toVerifyMethodName(options)
    this.#failures = failures
  }

  /** The payload that the application has verified and stored on the request; `null` without one, or if its namespace is unknown. */
  findVerifiedPayload (request: FastifyRequest): unknown {
    const decoratorName = this.#findPlugin(request)?.decoratorName ?? null
    return decoratorName === null ? null : Reflect.get(request, decoratorName) ?? null
  }

  /** Whether the request has something that may be a token. Cheap: most requests of a public route have none. */
  hasToken (request: FastifyRequest): boolean {
    return this.#findPlugin(request)?.hasToken(request) ?? false
  }

  /**
   * The payload of the request's token, or a promise of it that never rejects. `null` if the token is invalid, or if
   * `partition` has sent too many invalid ones.
   */
  verify (request: FastifyRequest, partition: string): unknown {
    const verifyRequest: unknown = Reflect.get(request, this.#method)
    if (!isVerifyRequest(verifyRequest)) return null
    const onSuccess = this.#failures.attempt(partition)
    if (onSuccess === null) return null
    // A copy: the verifier writes the payload to the request, perhaps late, and `trusted` may write more.
    // The application's own hooks must see the request unchanged.
    return runVerify(Object.assign(Object.create(Object.getPrototypeOf(request)), request), verifyRequest, onSuccess)
  }

  /** The user in a payload; `null` if it has no user claim. */
  parseUser (payload: unknown): TokenUser | null {
    const id = parseUserId(findClaim(payload, this.#userClaim))
    if (id === null) return null
    const anchor = this.#anchorClaim === undefined ? undefined : findClaim(payload, this.#anchorClaim)
    return { id, tier: parseTier(findClaim(payload, this.#tierClaim)), anchor }
  }

  #findPlugin (request: FastifyRequest): JwtPlugin | null {
    this.#plugin ??= findJwtPlugin(request.server, this.#namespace)
    return this.#plugin
  }
}

/** Synchronous, without a promise, if the secret and `trusted` are. */
function runVerify (copy: object, verifyRequest: VerifyRequest, onSuccess: () => void): unknown {
  let payload: unknown = null
  let isSettled = false
  let resolvePending: ((payload: unknown) => void) | null = null

  function settle (error: unknown, verified: unknown): void {
    if (isSettled) return
    isSettled = true
    if (error === null || error === undefined) {
      payload = verified ?? null
      onSuccess()
    }
    resolvePending?.(payload)
  }

  try {
    // `undefined`, not empty options: only then does @fastify/jwt use the verifier that it built at registration.
    verifyRequest.call(copy, undefined, settle)
  } catch (error) {
    settle(error, null)
  }
  return isSettled ? payload : new Promise((resolve) => { resolvePending = resolve })
}

function isVerifyRequest (value: unknown): value is VerifyRequest {
  return typeof value === 'function'
}

/**
 * Checks that tokens can be verified. Call it in `onReady`, since @fastify/jwt may be registered after this plugin.
 * Throws FST_SLUICE_NO_JWT.
 */
export function checkTokenSupport (fastify: FastifyInstance, { jwt }: ResolvedIdentify): void {
  if (jwt === false) return
  const method = toVerifyMethodName(jwt)
  if (findJwtPlugin(fastify, jwt.namespace) !== null && fastify.hasRequestDecorator(method)) return
  const namespace = jwt.namespace === undefined ? '' : ` with the namespace "${jwt.namespace}"`
  throw new FST_SLUICE_NO_JWT('rateLimit.identify.jwt', namespace, method)
}
