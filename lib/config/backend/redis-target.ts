import { isRecord } from '../../common/type-guards.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { RedisClient, RedisTarget } from '../../stores/redis/connect.js'
import { badOption } from '../schema/check.js'
import { reportAt, throwFirst, type Report } from '../schema/error-collector.js'
import { suggestNearest } from '../schema/suggest.js'
import {
  CLUSTER, CLUSTER_OPTIONS, CLUSTER_TARGET, CONNECTION, CONNECTION_OPTIONS, isOfKind, NODE_OPTIONS, NODES, type RedisOptionKinds
} from './redis-options.js'
import { reportUrlErrors } from './redis-url.js'

const EXPECTED = 'a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, ' +
  'or a Redis or Cluster client'

/** Messages never show text: a whole URL may have been pasted in place of a port or an array. */
const NOT_SHOWN = 'text (not shown, as it may contain a password)'

/**
 * Validate the target of the Redis connection before connecting. Throws FST_SLUICE_BAD_OPTION and
 * FST_SLUICE_UNKNOWN_OPTION; their messages show no text of the target.
 */
export function checkRedisTarget (target: unknown, place: string): asserts target is RedisTarget {
  throwFirst(place, (report) => reportRedisErrors(target, report))
}

/** Report the errors that `checkRedisTarget` would throw. `expected`: the values that are allowed. */
export function reportRedisErrors (target: unknown, report: Report, expected = EXPECTED): void {
  if (typeof target === 'string') return reportUrlErrors(target, expected, report)
  if (!isRecord(target)) return report([], (place) => badOption(place, expected, target))
  if (isClient(target)) return
  if (isMock(target)) {
    const given = 'a client of ioredis-mock, which cannot run the scripts; leave it out in tests, to count in memory'
    return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, given))
  }
  if (isOtherClient(target)) {
    return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, 'a client of another library than ioredis'))
  }
  const wrongObject = findWrongObject(target)
  if (wrongObject !== null) return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, wrongObject))
  reportFieldErrors(target, 'cluster' in target ? CLUSTER_TARGET : CONNECTION_OPTIONS, report)
  if ('cluster' in target || !('sentinels' in target)) return
  if (!('name' in target) || target.name === '' || target.name === undefined) {
    const given = 'name' in target ? target.name : undefined
    report(['name'], (place) => badOption(place, 'the name by which the sentinels know the primary', given))
  }
}

/** Whether a value is an ioredis client of the application, which may come from another version of ioredis. */
export function isClient (target: object): target is RedisClient {
  return 'callBuffer' in target && typeof target.callBuffer === 'function' && 'isCluster' in target
}

/** Whether a value is a client of ioredis-mock. It has neither raw commands nor the Lua libraries of Redis. */
export function isMock (target: object): boolean {
  return 'defineCommand' in target && typeof target.defineCommand === 'function' && !('callBuffer' in target)
}

/** Whether a value is a client of another library, such as node-redis or GLIDE. */
function isOtherClient (target: object): boolean {
  return ['sendCommand', 'customCommand'].some((name) => name in target && typeof Reflect.get(target, name) === 'function')
}

/**
 * Describe an object that holds no options, such as a Promise of a client: it would connect to the defaults. `null` for
 * an object of options, which may be an instance of a class.
 */
function findWrongObject (target: object): string | null {
  if ('then' in target && typeof target.then === 'function') return 'a Promise; await it first'
  if ('href' in target && 'searchParams' in target) return 'a URL object; use its href'
  return isPlain(target) || Object.keys(target).length > 0 ? null : 'an object of a class, without any option'
}

/** Whether an object was written as `{}`, also in another realm. */
function isPlain (value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function reportFieldErrors (options: object, known: RedisOptionKinds, report: Report): void {
  for (const [key, value] of Object.entries(options)) {
    const kind = known.get(key)
    if (kind === undefined) reportUnknownOption(key, known, report)
    // A Cluster or Sentinel target is recognized by its nodes, so they are required.
    else if (value !== undefined || kind === NODES) reportFieldError(value, kind, /password/i.test(key), reportAt([key], report))
  }
}

function reportFieldError (value: unknown, kind: string, isSecret: boolean, report: Report): void {
  if (!isOfKind(kind, value)) return report([], (place) => createFieldError(place, kind, value, isSecret))
  if (Array.isArray(value) && kind === NODES) {
    value.forEach((node: unknown, index) => reportNodeErrors(node, reportAt([index], report)))
  }
  if (isRecord(value) && kind === CONNECTION) reportFieldErrors(value, CONNECTION_OPTIONS, report)
  if (isRecord(value) && kind === CLUSTER) reportFieldErrors(value, CLUSTER_OPTIONS, report)
}

function reportNodeErrors (node: unknown, report: Report): void {
  // ioredis would take the query of a node as options of its connection, with numbers as text.
  if (typeof node === 'string' && node.includes('?')) {
    return report([], (place) => new FST_SLUICE_BAD_OPTION(place, 'a node without "?", with its options in redisOptions', NOT_SHOWN))
  }
  if (typeof node === 'string' && node !== '') return
  if (isRecord(node) && 'host' in node) reportFieldErrors(node, NODE_OPTIONS, report)
  else report([], (place) => badOption(place, '{ host, port }', node))
}

function reportUnknownOption (key: string, known: RedisOptionKinds, report: Report): void {
  // A key that is not a word is not a misspelled option. It may be a URL.
  if (!/^\w{1,40}$/.test(key)) {
    return report([], (place) => new FST_SLUICE_UNKNOWN_OPTION(place, ' in it (name not shown, as it may contain a password)'))
  }
  if (key === 'url') {
    return report([key], (place) => new FST_SLUICE_UNKNOWN_OPTION(place, '; use the URL itself instead of an object, or host and port'))
  }
  report([key], (place) => {
    const near = suggestNearest(key, [...known.keys()])
    return new FST_SLUICE_UNKNOWN_OPTION(place, near === null ? '' : `, did you mean "${near}"?`)
  })
}

function createFieldError (place: string, expected: string, value: unknown, isSecret: boolean): Error {
  if (typeof value === 'string' && value !== '') return new FST_SLUICE_BAD_OPTION(place, expected, NOT_SHOWN)
  // A password of the wrong type is still a secret.
  if (isSecret && typeof value === 'number') return new FST_SLUICE_BAD_OPTION(place, expected, 'a number')
  return badOption(place, expected, value)
}
