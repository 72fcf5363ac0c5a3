import type { FastifyRequest } from 'fastify'
import type { LogEntry } from '../log/log-entry.js'

/** A request that was injected has a socket without an address. */
const RAW = { socket: {} }

/** A request of a log, with the fields of a FastifyRequest that a decision without functions of the application reads. */
export class ReplayRequest {
  readonly ip: string
  readonly method: string
  readonly url: string
  readonly raw = RAW
  /** No policy has decided it before. */
  readonly rateLimit = null
  readonly entry: LogEntry

  constructor (entry: LogEntry) {
    this.ip = entry.address
    this.method = entry.method
    this.url = entry.path
    this.entry = entry
  }
}

/** A request of a log, for code that decides requests of Fastify. */
export function toFastifyRequest (entry: LogEntry): FastifyRequest {
  return new ReplayRequest(entry) as unknown as FastifyRequest
}

/** The entry that a request was made of; `null` for any other request. */
export function findEntry (request: unknown): LogEntry | null {
  return request instanceof ReplayRequest ? request.entry : null
}
