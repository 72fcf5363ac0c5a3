import cluster from 'node:cluster'
import type { FastifyInstance } from 'fastify'
import { FST_SLUICE_ALREADY_REGISTERED, FST_SLUICE_CONTRADICTION, warnings } from '../errors.js'

/** Throws FST_SLUICE_ALREADY_REGISTERED for a second registration in one scope. */
export function refuseSecondRegistration (fastify: FastifyInstance): void {
  if (Object.hasOwn(fastify, 'rateLimit')) throw new FST_SLUICE_ALREADY_REGISTERED()
}

/** The name of a registration without one: its prefix, or `app`. */
export function deriveName (fastify: FastifyInstance): string {
  return fastify.prefix === '' ? 'app' : fastify.prefix
}

/** Names of the registrations of each server that keep their limits outside this plugin's memory. */
const reservedNames = new WeakMap<object, Set<string>>()

/** Two registrations of one name would share their keys, and so their clients' budgets. */
export function reserveName (fastify: FastifyInstance, name: string): void {
  const names = reservedNames.get(fastify.server) ?? new Set()
  if (names.has(name)) throw new FST_SLUICE_CONTRADICTION('rateLimit.name', `"${name}" is another registration's name already, and both would use the same buckets; give each a name`)
  reservedNames.set(fastify.server, names.add(name))
}

export function warnAboutCluster (): void {
  if (!cluster.isWorker) return
  process.emitWarning('the memory store counts in each worker of node:cluster by itself, so clients get the limit once per worker', { code: warnings.memoryInCluster })
}
