import type { FastifyInstance } from 'fastify'
import { FST_SLUICE_ALREADY_REGISTERED, FST_SLUICE_CONTRADICTION, warnings } from '../errors.js'

/** Throws FST_SLUICE_ALREADY_REGISTERED for a second registration in one scope. */
export function refuseSecondRegistration (fastify: FastifyInstance): void {
  if (Object.hasOwn(fastify, 'rateLimit')) throw new FST_SLUICE_ALREADY_REGISTERED()
}

/** The default name of a registration: its prefix, or `app`. */
export function deriveName (fastify: FastifyInstance): string {
  return fastify.prefix === '' ? 'app' : fastify.prefix
}

/** Names of each server's registrations that use Redis or a custom store. */
const reservedNames = new WeakMap<object, Set<string>>()

/** Two registrations with one name would share their keys, and so the budgets of their clients. */
export function reserveName (fastify: FastifyInstance, name: string): void {
  const names = reservedNames.get(fastify.server) ?? new Set()
  if (names.has(name)) {
    throw new FST_SLUICE_CONTRADICTION('rateLimit.name',
      `another registration has the name "${name}" already, so both would use the same buckets; give each its own name`)
  }
  reservedNames.set(fastify.server, names.add(name))
}

export async function warnAboutCluster (): Promise<void> {
  // A worker has a channel to its primary. Other processes need not load node:cluster and the modules that it needs.
  if (process.send === undefined) return
  const { default: cluster } = await import('node:cluster')
  if (!cluster.isWorker) return
  process.emitWarning(
    'the memory store counts separately in each worker of node:cluster, so each client gets its limit once per worker; ' +
    'set redis to share it',
    { code: warnings.memoryInCluster }
  )
}

/** A decorator that does not exist yet, or a variable that is not set, would silently mean limits per process. */
export function warnAboutUndefinedRedis (options: object): void {
  if (!Object.hasOwn(options, 'redis')) return
  process.emitWarning(
    'rateLimit.redis is undefined, so each process counts for itself in memory; pass a target, or redis: false for memory',
    { code: warnings.undefinedRedis }
  )
}
