import type { FastifyRequest } from 'fastify'
import { Edition } from './edition.js'

/** The edition of the day, and those that requests on their way are still under. */
export class Editions {
  current: Edition
  /** Requests that were let through to a later phase, and have no decision yet to tell their edition. */
  readonly #pinned = new WeakMap<FastifyRequest, Edition>()

  constructor (first: Edition) {
    this.current = first
  }

  /** The edition that a request is under, where it may have been asked about before. */
  of (request: FastifyRequest): Edition {
    return this.#pinned.get(request) ?? Edition.of(request, this.current) ?? this.current
  }

  /** Keep a request under the edition that said which later phase is to limit it. */
  pin (request: FastifyRequest, edition: Edition): void {
    this.#pinned.set(request, edition)
  }
}
