import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../model/client.js'
import type { Decision } from '../../model/decision.js'

/*
 * Functions of the application that policies take. Each may return its result or a promise of it. A promise may take as
 * long as `identify.deadline` says.
 */

/** Computes a number of a limit for each request. */
export type PerRequest<T> = (request: FastifyRequest, client: Client) => T | PromiseLike<T>

/** The function `cost`. */
export type CostFunction = (request: FastifyRequest) => number | PromiseLike<number>

type Key = string | number | bigint

/** The function `keyGenerator`. */
export type KeyGenerator = (request: FastifyRequest) => Key | PromiseLike<Key>

/** A body: text, a Buffer, or an object that is sent as JSON. An Error is thrown. Nothing, if the function sent the reply itself. */
type RefusalBody = object | string | void

/** The function `errorResponseBuilder`. */
export type ErrorResponseBuilder = (
  request: FastifyRequest, decision: Decision, reply: FastifyReply
) => RefusalBody | PromiseLike<RefusalBody>

/** The functions `onExceeding`, `onExceeded` and `onBlocked`. The result is ignored; a rejection is logged. */
export type DecisionCallback = (request: FastifyRequest, decision: Decision) => unknown

/** The function `exempt.when`. */
export type ExemptFunction = (request: FastifyRequest) => boolean | PromiseLike<boolean>
