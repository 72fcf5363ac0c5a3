import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { RedisTarget } from '../../stores/redis/connect.js'
import { badOption } from '../schema/check.js'
import { reportAt, throwFirst, type Report } from '../schema/error-collector.js'
import { suggestNearest } from '../schema/suggest.js'
import {
  CLUSTER, CLUSTER_OPTIONS, CLUSTER_TARGET, CONNECTION, CONNECTION_OPTIONS, isOfKind, isOptions, NODE_OPTIONS, NODES, type RedisOptionKinds
} from './redis-options.js'
import { reportUrlErrors } from './redis-url.js'

const EXPECTED = 'a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, or a Redis or Cluster client'

/** Text is shown nowhere: a whole URL may have been pasted where a port or an array belongs. */
const NOT_SHOWN = 'text that is not shown, for it may hold a password'

/**
 * Check where Redis is said to be, before anything is connected. Throws FST_SLUICE_BAD_OPTION and
 * FST_SLUICE_UNKNOWN_OPTION, which show no text of it.
 */
export function checkRedisTarget (target: unknown, place: string): asserts target is RedisTarget {
  throwFirst(place, (report) => reportRedisErrors(target, report))
}

/** Tell what `checkRedisTarget` would throw. `expected`: what may stand there. */
export function reportRedisErrors (target: unknown, report: Report, expected = EXPECTED): void {
  if (typeof target === 'string') return reportUrlErrors(target, expected, report)
  if (!isOptions(target)) return report([], (place) => badOption(place, expected, target))
  if (isClient(target)) return
  if (isOtherClient(target)) return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, 'a client that is not of ioredis'))
  reportFieldErrors(target, 'cluster' in target ? CLUSTER_TARGET : CONNECTION_OPTIONS, report)
  if ('cluster' in target || !('sentinels' in target)) return
  if (!('name' in target) || target.name === '' || target.name === undefined) {
    const given = 'name' in target ? target.name : undefined
    report(['name'], (place) => badOption(place, 'the name by which the sentinels know the primary', given))
  }
}

/** A client that the application made, of ioredis or of a version of it of its own. */
function isClient (target: object): boolean {
  return 'callBuffer' in target && typeof target.callBuffer === 'function' && 'isCluster' in target
}

/** Such as one of node-redis, or of GLIDE. */
function isOtherClient (target: object): boolean {
  return ['sendCommand', 'customCommand'].some((name) => name in target && typeof Reflect.get(target, name) === 'function')
}

function reportFieldErrors (options: object, known: RedisOptionKinds, report: Report): void {
  for (const [key, value] of Object.entries(options)) {
    const kind = known.get(key)
    if (kind === undefined) reportUnknownOption(key, known, report)
    // The nodes are what makes a target one of a Cluster, or one of Sentinel: they cannot be left out.
    else if (value !== undefined || kind === NODES) reportFieldError(value, kind, /password/i.test(key), reportAt([key], report))
  }
}

function reportFieldError (value: unknown, kind: string, isSecret: boolean, report: Report): void {
  if (!isOfKind(kind, value)) return report([], (place) => createFieldError(place, kind, value, isSecret))
  if (Array.isArray(value) && kind === NODES) value.forEach((node: unknown, index) => reportNodeErrors(node, reportAt([index], report)))
  if (isOptions(value) && kind === CONNECTION) reportFieldErrors(value, CONNECTION_OPTIONS, report)
  if (isOptions(value) && kind === CLUSTER) reportFieldErrors(value, CLUSTER_OPTIONS, report)
}

function reportNodeErrors (node: unknown, report: Report): void {
  if (typeof node === 'string' && node !== '') return
  if (isOptions(node) && 'host' in node) reportFieldErrors(node, NODE_OPTIONS, report)
  else report([], (place) => badOption(place, '{ host, port }', node))
}

function reportUnknownOption (key: string, known: RedisOptionKinds, report: Report): void {
  // What is no word was meant for no option, and may be a URL.
  if (!/^\w{1,40}$/.test(key)) return report([], (place) => new FST_SLUICE_UNKNOWN_OPTION(place, ' in it, whose name is not shown, for it may hold a password'))
  if (key === 'url') return report([key], (place) => new FST_SLUICE_UNKNOWN_OPTION(place, '; give the URL itself in place of the object, or its host and port'))
  const near = suggestNearest(key, [...known.keys()])
  report([key], (place) => new FST_SLUICE_UNKNOWN_OPTION(place, near === null ? '' : `, did you mean "${near}"?`))
}

function createFieldError (place: string, expected: string, value: unknown, isSecret: boolean): Error {
  if (typeof value === 'string' && value !== '') return new FST_SLUICE_BAD_OPTION(place, expected, NOT_SHOWN)
  // A password of a wrong type is one all the same.
  if (isSecret && typeof value === 'number') return new FST_SLUICE_BAD_OPTION(place, expected, 'a number')
  return badOption(place, expected, value)
}
