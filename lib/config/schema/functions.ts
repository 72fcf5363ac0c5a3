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

/** The function `keyGenerator`. */
export type KeyGenerator = (request: FastifyRequest) => string | number | bigint | PromiseLike<string | number | bigint>

/**
 * The function `errorResponseBuilder`. It returns a body: text, a Buffer, or an object that is sent as JSON. An Error is
 * thrown. It returns nothing if it has sent the reply itself.
 */
export type ErrorResponseBuilder = (
  request: FastifyRequest, decision: Decision, reply: FastifyReply
) => object | string | void | PromiseLike<object | string | void>

/** The functions `onExceeding`, `onExceeded` and `onBlocked`. The result is ignored; a rejection is logged. */
export type DecisionCallback = (request: FastifyRequest, decision: Decision) => unknown

/** The function `exempt.when`. */
export type ExemptFunction = (request: FastifyRequest) => boolean | PromiseLike<boolean>
