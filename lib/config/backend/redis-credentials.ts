import type { ConnectTarget, RedisTarget, UrlTarget } from '../../stores/redis/connect.js'
import type { CredentialOptions } from '../../stores/redis/credentials.js'
import { convertRedisTarget } from './convert-redis.js'
import { isClient } from './redis-target.js'

/** A target for ioredis, and the credentials that it had. */
export interface SplitTarget {
  readonly target: ConnectTarget
  readonly credentials: CredentialOptions
}

/**
 * Take the credentials out of a valid `redis` option, and convert the rest. A client keeps its own, as a node of a Cluster
 * does that has some in `cluster`.
 */
export function splitRedisTarget (option: RedisTarget): SplitTarget {
  const target = convertRedisTarget(option)
  if (typeof target === 'string') return splitUrl({ url: target, query: {} })
  if (isClient(target)) return { target, credentials: {} }
  if ('url' in target) return splitUrl(target)
  if (!('cluster' in target)) return splitOptions(target, (rest) => rest)
  return splitOptions(target.redisOptions ?? {}, (redisOptions) => ({ ...target, redisOptions }))
}

/** As in ioredis, the user and password before the "@" replace those of the query. */
function splitUrl ({ url: text, query }: UrlTarget): SplitTarget {
  const url = new URL(text)
  const { username, password } = url
  if (username === '' && password === '') return splitOptions(query, (rest) => ({ url: text, query: rest }))
  url.username = ''
  url.password = ''
  const { target } = splitOptions(query, (rest) => ({ url: url.href, query: rest }))
  return { target, credentials: { username: decodeURIComponent(username), password: decodeURIComponent(password) } }
}

function splitOptions<T extends CredentialOptions> (
  { username, password, ...rest }: T, rebuild: (rest: Omit<T, keyof CredentialOptions>) => ConnectTarget
): SplitTarget {
  return { target: rebuild(rest), credentials: { username, password } }
}

/** A value of the option without its credentials, for comparison. */
export function withoutCredentials (option: RedisTarget | false | undefined): unknown {
  return option === undefined || option === false ? option : splitRedisTarget(option).target
}
