import { isRecord } from '../../common/type-guards.js'
import type { ClusterTarget, RedisClient, RedisConnectionOptions, RedisTarget, UrlTarget } from '../../stores/redis/connect.js'
import {
  CLUSTER, CLUSTER_OPTIONS, CLUSTER_TARGET, CONNECTION, CONNECTION_OPTIONS, convertToKind, NODE_OPTIONS, NODES, type RedisOptionKinds
} from './redis-options.js'
import { isClient } from './redis-target.js'

/**
 * Convert the values of a valid target to the types that ioredis requires. Numbers may be text, as in the environment and
 * in the query of a URL, where everything is text. A client is returned unchanged.
 */
export function convertRedisTarget (target: RedisTarget): string | UrlTarget | RedisConnectionOptions | ClusterTarget | RedisClient {
  if (typeof target === 'string') return convertUrl(target)
  if (isClient(target)) return target
  return convertOptions(target, 'cluster' in target ? CLUSTER_TARGET : CONNECTION_OPTIONS) as RedisConnectionOptions | ClusterTarget
}

function convertUrl (text: string): string | UrlTarget {
  const [url] = text.split('?', 1)
  if (url === text) return text
  return { url, query: convertOptions(Object.fromEntries(new URL(text).searchParams), CONNECTION_OPTIONS) }
}

function convertOptions (options: object, known: RedisOptionKinds): object {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [key, convertValue(known.get(key), value)]))
}

function convertValue (kind: string | undefined, value: unknown): unknown {
  if (kind === undefined || value === undefined) return value
  if (kind === NODES && Array.isArray(value)) return value.map((node) => isRecord(node) ? convertOptions(node, NODE_OPTIONS) : node)
  if (kind === CONNECTION && isRecord(value)) return convertOptions(value, CONNECTION_OPTIONS)
  if (kind === CLUSTER && isRecord(value)) return convertOptions(value, CLUSTER_OPTIONS)
  return convertToKind(kind, value)
}
