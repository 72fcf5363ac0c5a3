import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { IdentifyOptions, TokenOptions } from '../config/schema/identity-schema.js'
import { FST_SLUICE_NO_JWT } from '../errors.js'
import { findClaim, parseTier, parseUserId } from './claims.js'
import { findJwtPlugin, toVerifyMethodName, type JwtPlugin, type VerifyRequest } from './jwt-plugin.js'

/** Bounds how many tokens of one partition may fail. */
export interface FailureLimiter {
  /**
   * Count a verification as failed before it begins: of many at once, none slips past. `null` when the partition has
   * failed too often; otherwise the verification may be made, and the answer is to be called if it succeeds.
   */
  attempt (partition: string): (() => void) | null
}

/** The user that a token's payload names. */
export interface TokenUser {
  readonly id: string
  /** `null` where the payload tells none. */
  readonly tier: string | null
}

/**
 * Users by tokens that @fastify/jwt verifies, with the secrets, the `trusted` function and the lookup that the
 * application gave it. Of what was wrong with a token nothing is told: the application's own hook answers that.
 */
export class TokenReader {
  readonly #userClaim: string
  readonly #tierClaim: string
  readonly #namespace: string | undefined
  readonly #method: string
  readonly #failures: FailureLimiter
  #plugin: JwtPlugin | null = null

  constructor (options: TokenOptions, failures: FailureLimiter) {
    this.#userClaim = options.userClaim ?? 'sub'
    this.#tierClaim = options.tierClaim ?? 'tier'
    this.#namespace = options.namespace
    this.#method = toVerifyMethodName(options)
    this.#failures = failures
  }

  /** What the application has verified already and keeps at the request; `null` where it has not. */
  findVerifiedPayload (request: FastifyRequest): unknown {
    const plugin = this.#findPlugin(request)
    return plugin === null ? null : Reflect.get(request, plugin.decoratorName) ?? null
  }

  /** Whether the request shows anything that may be a token. Cheap: most requests of a public route do not. */
  hasToken (request: FastifyRequest): boolean {
    return this.#findPlugin(request)?.hasToken(request) ?? false
  }

  /**
   * The payload of the request's token, perhaps by a promise that never rejects; `null` where the token is not valid,
   * or `partition` has shown too many that were not.
   */
  verify (request: FastifyRequest, partition: string): unknown {
    const verifyRequest: unknown = Reflect.get(request, this.#method)
    if (!isVerifyRequest(verifyRequest)) return null
    const onSuccess = this.#failures.attempt(partition)
    if (onSuccess === null) return null
    // The verifier writes the payload to the request that it is given, perhaps late, and `trusted` may write more.
    // The request must stay as the application's own hooks expect it.
    return runVerify(Object.assign(Object.create(Object.getPrototypeOf(request)), request), verifyRequest, onSuccess)
  }

  /** The user in a payload; `null` where it names none. */
  parseUser (payload: unknown): TokenUser | null {
    const id = parseUserId(findClaim(payload, this.#userClaim))
    return id === null ? null : { id, tier: parseTier(findClaim(payload, this.#tierClaim)) }
  }

  #findPlugin (request: FastifyRequest): JwtPlugin | null {
    this.#plugin ??= findJwtPlugin(request.server, this.#namespace)
    return this.#plugin
  }
}

/** In the same turn, without a promise, where the secret and `trusted` allow it. */
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
    // Without options, and not with empty ones: only then is the verifier used that was made at registration.
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
 * Hold that tokens can be verified; for a hook `onReady`, since @fastify/jwt may be registered after this plugin.
 * Throws FST_SLUICE_NO_JWT.
 */
export function checkTokenSupport (fastify: FastifyInstance, identify: IdentifyOptions | undefined): void {
  const options = resolveTokenOptions(identify)
  if (options === null) return
  const method = toVerifyMethodName(options)
  if (findJwtPlugin(fastify, options.namespace) !== null && fastify.hasRequestDecorator(method)) return
  throw new FST_SLUICE_NO_JWT('rateLimit.identify.jwt', options.namespace === undefined ? '' : ` with the namespace "${options.namespace}"`, method)
}

/** How tokens are read; `null` where they are not. */
export function resolveTokenOptions (identify: IdentifyOptions | undefined): TokenOptions | null {
  const jwt = identify?.jwt ?? false
  return jwt === true ? {} : jwt === false ? null : jwt
}
